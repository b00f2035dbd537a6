// Package provenance writes down where the results of a role come from, as an in-toto statement (v1) with a
// predicate of SLSA provenance (v1): what was asked for, everything that went in by name and digest, and what came out.
//
// It promises: the same inputs give the same bytes, on whatever machine and at whatever time; no
// mirror, no host and no path of the builder's machine is named; what is read back is strict, bounded, and
// valid by the specification's own types.
//
// It must not know how anything is built, nor signed.
package provenance

package publish

import (
	"regexp"
	"strings"
)

// spdxIDs maps short names of DEP-5 (section 7.1.1), in lower case and without trailing ".0" and
// "+", to SPDX identifiers. Only names that mean one text are here: "MIT", "Artistic", "BSD" and
// "public-domain" are several, and stay references.
var spdxIDs = map[string]string{
	"afl-2.1": "AFL-2.1", "afl-3": "AFL-3.0",
	"apache-1": "Apache-1.0", "apache-1.1": "Apache-1.1", "apache-2": "Apache-2.0",
	"artistic-2":   "Artistic-2.0",
	"beerware":     "Beerware",
	"bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause", "bsd-4-clause": "BSD-4-Clause",
	"bsd-4-clause-uc": "BSD-4-Clause-UC",
	"bsl-1":           "BSL-1.0",
	"bzip2-1.0.6":     "bzip2-1.0.6",
	"cc0":             "CC0-1.0", "cc0-1": "CC0-1.0",
	"cc-by-3": "CC-BY-3.0", "cc-by-4": "CC-BY-4.0", "cc-by-sa-3": "CC-BY-SA-3.0", "cc-by-sa-4": "CC-BY-SA-4.0",
	"cddl-1": "CDDL-1.0", "cddl-1.1": "CDDL-1.1",
	"cpl-1": "CPL-1.0", "epl-1": "EPL-1.0", "epl-2": "EPL-2.0",
	"curl":  "curl",
	"expat": "MIT", // DEP-5: "Expat" is the text that SPDX calls MIT
	"fsfap": "FSFAP", "fsful": "FSFUL", "fsfullr": "FSFULLR",
	"ftl":     "FTL",
	"isc":     "ISC",
	"mpl-1.1": "MPL-1.1", "mpl-2": "MPL-2.0",
	"ms-pl":            "MS-PL",
	"ntp":              "NTP",
	"ofl-1.1":          "OFL-1.1",
	"openssl":          "OpenSSL",
	"sleepycat":        "Sleepycat",
	"unicode-dfs-2016": "Unicode-DFS-2016",
	"unlicense":        "Unlicense",
	"x11":              "X11",
	"zlib":             "Zlib",
}

// families are the licences whose SPDX identifiers end in -only or -or-later: DEP-5 says "+".
var families = map[string]string{
	"gpl-1": "GPL-1.0", "gpl-2": "GPL-2.0", "gpl-3": "GPL-3.0",
	"lgpl-2": "LGPL-2.0", "lgpl-2.1": "LGPL-2.1", "lgpl-3": "LGPL-3.0",
	"agpl-3":   "AGPL-3.0",
	"gfdl-1.1": "GFDL-1.1", "gfdl-1.2": "GFDL-1.2", "gfdl-1.3": "GFDL-1.3",
	"gfdl-niv-1.1": "GFDL-1.1-no-invariants", "gfdl-niv-1.2": "GFDL-1.2-no-invariants", "gfdl-niv-1.3": "GFDL-1.3-no-invariants",
}

// exceptions are the texts after "with" that SPDX knows under one identifier.
var exceptions = map[string]string{
	"bison-2.2 exception":          "Bison-exception-2.2",
	"classpath exception":          "Classpath-exception-2.0",
	"font exception":               "Font-exception-2.0",
	"gcc-runtime-3.1 exception":    "GCC-exception-3.1",
	"libtool exception":            "Libtool-exception",
	"linux-syscall-note exception": "Linux-syscall-note",
	"llvm exception":               "LLVM-exception",
}

var trailingZeros = regexp.MustCompile(`(-[0-9]+(?:\.[0-9]+)*?)(?:\.0)+(\+?)$`)

// spdxID returns the SPDX identifier of a short name, or "" where it isn't certain.
func spdxID(short string) string {
	name := trailingZeros.ReplaceAllString(strings.ToLower(short), "$1$2") // DEP-5: "2.0" is equal to "2"
	base, later := strings.CutSuffix(name, "+")
	for suffix, means := range map[string]bool{"-only": false, "-or-later": true} { // SPDX's own form
		if cut, ok := strings.CutSuffix(strings.ToLower(short), suffix); ok {
			base, later = trailingZeros.ReplaceAllString(cut, "$1"), means
		}
	}
	if id := families[base]; id != "" {
		if later {
			return id + "-or-later"
		}
		return id + "-only"
	}
	if later {
		return "" // "Apache-2.0+" has no identifier of its own
	}
	return spdxIDs[name]
}

// spdxException returns the SPDX identifier of an exception, or "".
func spdxException(words string) string { return exceptions[strings.ToLower(words)] }

var notInID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// refID makes the identifier of a licence that SPDX has none for (SPDX 2.3, 10.1): only letters,
// digits, "." and "-" may be in it.
func refID(parts ...string) string {
	id := "LicenseRef"
	for _, p := range parts {
		p = strings.ReplaceAll(p, "+", "-plus")
		if p = strings.Trim(notInID.ReplaceAllString(p, "-"), "-"); p != "" {
			id += "-" + p
		}
	}
	return id
}

// Package source gets the bytes that forge does not make itself: one package per kind below it
// (apt, maven, pypi, http, file), and here what they share: what is asked for, how answers are ordered,
// and the errors.
//
// It promises: operator's files come before operator's mirrors before public places; whichever
// answers, the digest decides; a place that has not got a file is passed over, a place that has
// other bytes under its name is an error at once, which says what was expected, what came and
// from where; nothing unverified reaches the store; sizes are bounded.
//
// It must not know recipes or the lock: the caller says what it wants and with which digest.
package source

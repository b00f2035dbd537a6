// Package maven is the source for artifacts of Maven repositories. mvn itself fetches them, so that
// the user's own settings (settings.xml, mirrors, proxies, credentials, the local repository)
// count.
//
// It promises: one run of mvn for many artifacts; nothing but the artifacts that are named, no
// dependencies; only fixed versions; the digests are compared with what mvn hands over.
//
// It must not know any repository.
package maven

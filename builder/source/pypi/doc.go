// Package pypi is the source for source archives of Python package indexes. Which indexes these are
// is what the user's own settings of pip say (its configuration files and PIP_* variables: index-url,
// extra-index-url, find-links, no-index, proxy, cert), or pip itself where there are none.
//
// It promises: nothing of an archive is run, as pip would do to learn its dependencies; no
// dependencies; only fixed versions; what an index says about an archive's digest is compared with
// what comes, and so is the digest that is asked for.
//
// An index is read by the simple repository API: JSON (PEP 691) or HTML (PEP 503).
//
// It must not know any index.
package pypi

// Package git is the source for trees of git repositories. git itself fetches them, so that the user's own
// settings (URL rewriting, credentials, proxies, SSH) count.
//
// It promises: one commit, named by its full id, and of it the files as they stand in the repository, whatever
// attributes, filters or line endings git would apply; no submodules, no hooks, no file that LFS keeps elsewhere;
// only the protocols file, ssh and https; the same commit gives the same bytes, of whatever version git is.
//
// It must not know recipes, nor what is made of the tree.
package git

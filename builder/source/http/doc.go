// Package http is the source for files that a web server has.
//
// It promises: what can be tried again is (429, 5xx, lost connections), with growing pauses and
// the server's Retry-After; a download that is cut goes on where it was; a server that sends nothing
// is given up; proxies of the environment count; sizes are bounded; https never becomes http.
//
// It must not know which servers there are.
package http

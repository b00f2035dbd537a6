package apt

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/source"
)

// take adopts one file that the client fetched, unless reason says that the archive has not got it.
func (f *fetcher) take(it *item, reason string) error {
	if absent(reason) {
		return nil
	}
	if err := f.adopt(it, reason); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	it.done = true
	return nil
}

// adopt moves a file into the store, or explains the client's reason why there is none.
func (f *fetcher) adopt(it *item, reason string) error {
	if reason != "" {
		return &Error{What: "fetch " + it.pkg.String(), Explanation: it.url + ": " + reason,
			Hint: "The mirror can't be reached or broke off: try again, check the network and the proxy, or set apt.mirror."}
	}
	a := it.pkg.artifact()
	_, err := source.Adopt(a, it.path, a.File, it.url, f.blobs)
	return err
}

// failedRE is apt's report of one file, "E: Failed to fetch URI  REASON".
var failedRE = regexp.MustCompile(`(?m)^[EW]: Failed to fetch (\S+)\s+(.*)$`)

// failures returns, by URL, why files could not be fetched.
func failures(messages string) map[string]string {
	out := map[string]string{}
	for _, m := range failedRE.FindAllStringSubmatch(messages, -1) {
		out[m[1]] = strings.TrimSpace(m[2])
	}
	return out
}

// absent tells whether a reason means that the archive has not got the file.
func absent(reason string) bool {
	return strings.HasPrefix(reason, "404 ") || strings.HasPrefix(reason, "410 ") || strings.Contains(reason, "(2: No such file or directory)")
}

// watch emits progress while files come in, and ends the context when one grows past its size:
// apt, asked for a bare file, takes whatever a server sends.
func (f *fetcher) watch(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := f.look(); err != nil {
					cancel(err)
				}
			}
		}
	}()
	return ctx, func() { cancel(nil); <-done }
}

// look adds up what has come and reports it.
func (f *fetcher) look() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var have, total int64
	for _, it := range f.items {
		total += it.pkg.Size
		if it.done {
			have += it.pkg.Size
			continue
		}
		info, err := os.Lstat(it.path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if info.Size() > it.pkg.Size {
			return &source.SizeError{Name: it.pkg.String(), From: it.url, Want: it.pkg.Size, Limit: it.pkg.Size}
		}
		have += info.Size()
	}
	f.client.emit(event.Event{Kind: event.Progress, Message: "fetch packages", Done: have, Total: total, Unit: "bytes"})
	return nil
}

// MissingError says that no place has some packages. It wraps source.ErrNotFound.
type MissingError struct {
	Packages []Package
	Offline  bool // no mirror was asked
}

func (e *MissingError) Error() string {
	var names []string
	for i, p := range e.Packages {
		if i == 5 {
			names = append(names, fmt.Sprintf("and %d more", len(e.Packages)-i))
			break
		}
		names = append(names, fmt.Sprintf("%s (%s, %s)", p, p.Filename, p.Digest))
	}
	s := "apt: can't be had any more: " + strings.Join(names, "; ")
	if e.Offline {
		return s + "\nNo mirror may be asked (--offline) and vendor/ has them not: run forge vendor where there is a network."
	}
	return s + "\nDebian's archive drops old versions: run forge lock to take those that are there now, or put the files into vendor/."
}

// Unwrap returns source.ErrNotFound.
func (e *MissingError) Unwrap() error { return source.ErrNotFound }

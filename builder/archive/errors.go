package archive

import (
	"errors"
	"fmt"
)

// Reasons to refuse an archive. An *EntryError wraps one of them, or the error
// of the operating system.
var (
	ErrMalformed = errors.New("malformed archive")
	ErrEscape    = errors.New("leads out of the destination")
	ErrName      = errors.New("not a clean relative name")
	ErrType      = errors.New("type of entry not allowed")
	ErrExists    = errors.New("would overwrite what is there already")
	ErrLimit     = errors.New("limit exceeded")
)

// EntryError says which entry of which archive was refused, and why.
type EntryError struct {
	Archive string // as the caller names it, such as "data.tar of bash_5.2.deb"
	Entry   string // the name in the archive; empty when no entry could be read
	Err     error
}

func (e *EntryError) Error() string {
	if e.Entry == "" {
		return fmt.Sprintf("%s: %v", e.Archive, e.Err)
	}
	return fmt.Sprintf("%s: entry %q: %v", e.Archive, e.Entry, e.Err)
}

func (e *EntryError) Unwrap() error { return e.Err }

// refuse explains a sentinel: "would overwrite ...: a directory is there".
func refuse(reason error, format string, args ...any) error {
	return fmt.Errorf("%w: %s", reason, fmt.Sprintf(format, args...))
}

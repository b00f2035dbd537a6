package store

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const mend = "free some space, run forge gc, or choose another folder with --store or --out"

// Explain adds to an error of the file system what a person can do about it.
func Explain(err error) error {
	var hint string
	switch {
	case err == nil || explained(err):
		return err
	case errors.Is(err, syscall.ENOSPC):
		hint = "the disk is full: " + mend
	case errors.Is(err, syscall.EDQUOT):
		hint = "the disk quota is used up: " + mend
	case errors.Is(err, syscall.EROFS):
		hint = "the file system is read-only: choose another folder with --store or --out"
	default:
		return err
	}
	return fmt.Errorf("%w (%s)", err, hint)
}

// explained tells whether the hint about a full disk is in the error already.
func explained(err error) bool { return strings.Contains(err.Error(), "free some space") }

// fullBelow is the free space, in bytes, at which a failure is put down to a full disk: programs say
// so in words of their own, or not at all.
const fullBelow = 1 << 20

// ExplainFull is Explain for a failure of something that works in the store. It says which disk is full,
// also where a program failed for that reason: then the error has no number to tell by.
func (s *Store) ExplainFull(err error) error {
	if explained(err) {
		return err
	}
	var st unix.Statfs_t
	switch {
	case errors.Is(err, syscall.ENOSPC), strings.Contains(strings.ToLower(err.Error()), syscall.ENOSPC.Error()),
		unix.Statfs(s.dir, &st) == nil && int64(st.Bavail)*st.Bsize < fullBelow:
		return fmt.Errorf("%w\nthe disk with the store %s is full: %s", err, s.dir, mend)
	}
	return Explain(err)
}

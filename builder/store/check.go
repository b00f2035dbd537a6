package store

import (
	"fmt"
	"os"
	"syscall"
)

// Reading every byte at every use would make a build that has nothing to do slow. So the store
// remembers, for each blob and tree, the stat signature (size, inode, modification and change
// times) that it had when its content was last read, and in which boot of the machine that was: what
// a power cut leaves can have the right signature with the wrong content.

// checked tells whether the content was read in this boot while it had the signature sig.
func (s *Store) checked(kind string, d Digest, sig string) bool {
	b, err := os.ReadFile(s.path("meta", kind, d.Hex()))
	return err == nil && string(b) == s.boot+"\n"+sig+"\n"
}

func (s *Store) record(kind string, d Digest, sig string) error {
	err := s.write(s.path("meta", kind, d.Hex()), []byte(s.boot+"\n"+sig+"\n"))
	if err != nil {
		return fmt.Errorf("store: %w", Explain(err))
	}
	return nil
}

func fileSignature(path string) (string, error) {
	fi, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	return Signature(fi), nil
}

// Signature returns what tells a changed file from an unchanged one without reading it.
func Signature(fi os.FileInfo) string {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Sprintf("%d %d", fi.Size(), fi.ModTime().UnixNano())
	}
	return fmt.Sprintf("%d %d %d.%09d %d.%09d %o", st.Size, st.Ino, st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec, st.Mode)
}

package aptrepo

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/klauspost/compress/gzip"
	"github.com/ulikunitz/xz"
	"golang.org/x/sys/unix"
)

// contextReader ends reading when ctx ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// digest is the sha256 of what is left to read of r.
func digest(ctx context.Context, r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, contextReader{ctx, r}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// fileDigest is that of a file and its size, in bytes.
func fileDigest(ctx context.Context, root *os.Root, name string) (string, int64, error) {
	f, err := root.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	d, err := digest(ctx, f)
	return d, fi.Size(), err
}

// sameContent compares the compressed forms of a file, .gz and .xz, with it.
func sameContent(name string) error {
	want, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	for ext, open := range map[string]func(io.Reader) (io.Reader, error){
		".gz": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		".xz": func(r io.Reader) (io.Reader, error) { return xz.NewReader(r) },
	} {
		f, err := os.Open(name + ext)
		if err != nil {
			return err
		}
		var got []byte
		r, err := open(bufio.NewReader(f))
		if err == nil {
			got, err = io.ReadAll(io.LimitReader(r, int64(len(want))+1))
		}
		if err == nil && !bytes.Equal(got, want) {
			err = errors.New("it has another content")
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("%s: %w", name+ext, err)
		}
	}
	return nil
}

// readBounded reads a file of the repository.
func readBounded(root *os.Root, name string, most int64) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s has more than %d bytes", name, most)
	}
	return b, err
}

// place copies a package to its path, whole or not at all, and returns once it is on the disk.
func place(ctx context.Context, temp string, e entry, to string) error {
	in, err := os.Open(e.from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Join(temp, "package"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, h), contextReader{ctx, in})
	if err == nil && hex.EncodeToString(h.Sum(nil)) != e.sha256 {
		err = fmt.Errorf("%s was changed while it was read", e.from)
	}
	if err := errors.Join(err, out.Chmod(0o644), out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := os.Rename(out.Name(), to); err != nil {
		return err
	}
	return syncPath(filepath.Dir(to))
}

// syncTree puts all of a folder on the disk.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncPath(name)
	})
}

func syncPath(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// fullBelow is the free space, in bytes, at which a failure is put down to a full disk: programs say so in words
// of their own.
const fullBelow = 64 << 10

const explained = "nothing was published, and what is there stays as it was"

// explain says of a failure that the disk is full, where that is why.
func explain(err error, dir string) error {
	var st unix.Statfs_t
	switch {
	case err == nil || errors.Is(err, context.Canceled) || strings.Contains(err.Error(), explained):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT),
		strings.Contains(strings.ToLower(err.Error()), syscall.ENOSPC.Error()),
		unix.Statfs(dir, &st) == nil && int64(st.Bavail)*st.Bsize < fullBelow:
		return fmt.Errorf("%w\nthe disk with the repository %s is full: "+explained+"; free some space and publish again", err, dir)
	}
	return err
}

package archive

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// manifestHeader names the format; a change of the format changes it, and so
// every digest.
const manifestHeader = "#forge-manifest 1\n"

// Manifest writes the canonical description of the tree at dir: equal trees
// give equal bytes on every machine and file system.
//
// After the header line there is one line per path, sorted bytewise by path
// ("." first), in the manner of mtree(5):
//
//	./PATH type=file mode=0755 uid=0 gid=0 time=1700000000.000000000 size=5 sha256=HEX
//	./PATH type=link ... link=TARGET
//	./PATH type=char ... rdev=MAJOR,MINOR
//	./PATH type=file ... hardlink=./FIRST
//
// Bytes that are not printable ASCII, blanks and backslashes are written as
// \ooo. Extended attributes follow as xattr.NAME=BASE64, sorted by name; notes
// of overlayfs to itself (all of user.overlay.* but opaque) are left out, and
// so are attributes that belong to the host (SELinux labels, trusted.*). Further names
// of a hard-linked file refer to the first one instead of repeating size and
// digest. Sizes of directories and link counts are left out: they depend on
// the file system.
//
// Files are read by GOMAXPROCS workers. The tree must not change meanwhile; a
// file that does is an error.
func Manifest(ctx context.Context, dir string, w io.Writer) error {
	nodes, err := scan(ctx, dir)
	if err != nil {
		return fmt.Errorf("manifest of %s: %w", dir, err)
	}
	leaders := linkLeaders(nodes)
	sums, err := hashFiles(ctx, dir, nodes, leaders)
	if err != nil {
		return fmt.Errorf("manifest of %s: %w", dir, err)
	}
	out := bufio.NewWriterSize(w, 64<<10)
	out.WriteString(manifestHeader)
	var line []byte
	for i := range nodes {
		leader := ""
		if at, ok := leaders[i]; ok {
			leader = nodes[at].path
		}
		if line, err = appendLine(line[:0], dir, &nodes[i], leader, &sums[i]); err != nil {
			return fmt.Errorf("manifest of %s: %w", dir, err)
		}
		if _, err := out.Write(line); err != nil {
			return fmt.Errorf("manifest of %s: write: %w", dir, err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("manifest of %s: write: %w", dir, err)
	}
	return nil
}

// ManifestDigest returns "sha256:<64 hex>" of the tree's Manifest.
func ManifestDigest(ctx context.Context, dir string) (string, error) {
	sum := sha256.New()
	if err := Manifest(ctx, dir, sum); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// StatSignature returns "sha256:<64 hex>" over path, mode, owner, size, mtime, ctime
// and inode of every path below dir, without reading any file. It changes
// whenever something in the tree was touched, and also when the tree was
// copied; it says "surely the same as when it was last read", never "equal to
// another tree". The ctime of dir itself is left out, so that the signature
// survives a rename of dir.
func StatSignature(ctx context.Context, dir string) (string, error) {
	nodes, err := scan(ctx, dir)
	if err != nil {
		return "", fmt.Errorf("stat signature of %s: %w", dir, err)
	}
	nodes[0].ctime = unix.Timespec{}
	sum := sha256.New()
	buf := make([]byte, 0, 64<<10)
	for i := range nodes {
		n := &nodes[i]
		buf = append(append(buf, n.path...), 0)
		for _, v := range [...]int64{int64(n.mode), int64(n.uid), int64(n.gid), n.size, n.mtime.Nano(), n.ctime.Nano(), int64(n.ino)} {
			buf = append(strconv.AppendInt(buf, v, 36), ' ')
		}
		if buf = append(buf, '\n'); len(buf) > 32<<10 {
			sum.Write(buf)
			buf = buf[:0]
		}
	}
	sum.Write(buf)
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// hashFiles returns the sha256 of each regular file that is not a further
// name of another, at the node's position.
func hashFiles(ctx context.Context, dir string, nodes []node, leaders map[int]int) ([][sha256.Size]byte, error) {
	sums := make([][sha256.Size]byte, len(nodes))
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			sum, buf := sha256.New(), make([]byte, 256<<10)
			for {
				i := int(next.Add(1) - 1)
				if i >= len(nodes) {
					return nil
				}
				if _, further := leaders[i]; further || !nodes[i].isFile() {
					continue
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				sum.Reset()
				if err := hashFile(ctx, sum, filepath.Join(dir, nodes[i].path), nodes[i].size, buf); err != nil {
					return err
				}
				sum.Sum(sums[i][:0])
			}
		})
	}
	return sums, group.Wait()
}

func hashFile(ctx context.Context, sum hash.Hash, path string, size int64, buf []byte) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var total int64
	for {
		n, err := f.Read(buf)
		sum.Write(buf[:n])
		total += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if total != size {
		return fmt.Errorf("%s changed while it was read: it had %d bytes, now %d", path, size, total)
	}
	return nil
}

var typeNames = map[uint32]string{
	unix.S_IFREG: "file", unix.S_IFDIR: "dir", unix.S_IFLNK: "link", unix.S_IFCHR: "char",
	unix.S_IFBLK: "block", unix.S_IFIFO: "fifo", unix.S_IFSOCK: "socket",
}

func appendLine(b []byte, dir string, n *node, leader string, sum *[sha256.Size]byte) ([]byte, error) {
	b = appendPath(b, n.path)
	b = fmt.Appendf(b, " type=%s mode=%04o uid=%d gid=%d time=%d.%09d",
		typeNames[n.format()], n.mode&0o7777, n.uid, n.gid, n.mtime.Sec, n.mtime.Nsec)
	switch {
	case leader != "":
		b = appendPath(append(b, " hardlink="...), leader)
		return append(b, '\n'), nil
	case n.isFile():
		b = fmt.Appendf(b, " size=%d sha256=%x", n.size, sum[:])
	case n.format() == unix.S_IFLNK:
		target, err := readLink(filepath.Join(dir, n.path))
		if err != nil {
			return nil, err
		}
		b = appendEscaped(append(b, " link="...), target)
	case n.format() == unix.S_IFCHR, n.format() == unix.S_IFBLK:
		b = fmt.Appendf(b, " rdev=%d,%d", unix.Major(n.rdev), unix.Minor(n.rdev))
	}
	attrs, err := readXattrs(filepath.Join(dir, n.path))
	if err != nil {
		return nil, err
	}
	for _, a := range attrs {
		if overlayNote(a.name) {
			continue
		}
		b = appendEscaped(append(b, " xattr."...), a.name)
		b = base64.StdEncoding.AppendEncode(append(b, '='), []byte(a.value))
	}
	return append(b, '\n'), nil
}

// appendPath writes a path below the tree as "./a/b", the tree itself as ".".
func appendPath(b []byte, path string) []byte {
	if path == "." {
		return append(b, '.')
	}
	return appendEscaped(append(b, "./"...), path)
}

func appendEscaped(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '=' {
			b = fmt.Appendf(b, `\%03o`, c)
		} else {
			b = append(b, c)
		}
	}
	return b
}

package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// node is one path of a scanned tree.
type node struct {
	path  string // relative to the tree, slash-separated; "." is the tree itself
	mode  uint32 // st_mode: type and permission bits
	uid   uint32
	gid   uint32
	nlink uint64
	dev   uint64
	ino   uint64
	rdev  uint64
	size  int64
	mtime unix.Timespec
	ctime unix.Timespec
}

func (n *node) format() uint32 { return n.mode & unix.S_IFMT }
func (n *node) isDir() bool    { return n.format() == unix.S_IFDIR }
func (n *node) isFile() bool   { return n.format() == unix.S_IFREG }

// isWhiteout reports whether n is overlayfs's mark for a removed name
// (Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories").
func (n *node) isWhiteout() bool { return n.format() == unix.S_IFCHR && n.rdev == 0 }

type inode struct{ dev, ino uint64 }

func (n *node) inode() inode { return inode{n.dev, n.ino} }

func newNode(path string, st *unix.Stat_t) node {
	return node{
		path: path, mode: st.Mode, uid: st.Uid, gid: st.Gid, nlink: uint64(st.Nlink),
		dev: uint64(st.Dev), ino: st.Ino, rdev: uint64(st.Rdev), size: st.Size,
		mtime: st.Mtim, ctime: st.Ctim,
	}
}

// scan lists the tree at dir without reading a file's contents, several
// directories at a time. Nodes come sorted bytewise by path, "." first.
// Symbolic links are not followed, but dir itself may be one.
func scan(ctx context.Context, dir string) ([]node, error) {
	var st unix.Stat_t
	if err := ignoringEINTR(func() error { return unix.Stat(dir, &st) }); err != nil {
		return nil, &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	top := newNode(".", &st)
	if !top.isDir() {
		return nil, &os.PathError{Op: "scan", Path: dir, Err: unix.ENOTDIR}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(2, runtime.GOMAXPROCS(0)))
	s := &scanner{dir: dir, group: group, nodes: []node{top}}
	group.Go(func() error { return s.run(ctx, "") })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(s.nodes, compareNodes)
	return s.nodes, nil
}

func compareNodes(a, b node) int {
	switch {
	case a.path == b.path:
		return 0
	case a.path == ".":
		return -1
	case b.path == ".":
		return 1
	}
	return strings.Compare(a.path, b.path)
}

type scanner struct {
	dir   string
	group *errgroup.Group
	mu    sync.Mutex
	nodes []node
}

// run scans prefix ("" or "a/b/") and everything below it, and hands
// directories to other workers while some are free.
func (s *scanner) run(ctx context.Context, prefix string) error {
	var found []node
	pending := []string{prefix}
	for len(pending) > 0 {
		prefix := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if err := ctx.Err(); err != nil {
			return err
		}
		first := len(found)
		var err error
		if found, err = s.list(prefix, found); err != nil {
			return err
		}
		for i := first; i < len(found); i++ {
			if !found[i].isDir() {
				continue
			}
			sub := found[i].path + "/"
			if !s.group.TryGo(func() error { return s.run(ctx, sub) }) {
				pending = append(pending, sub)
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = append(s.nodes, found...)
	return nil
}

// list appends the entries of one directory to nodes.
func (s *scanner) list(prefix string, nodes []node) ([]node, error) {
	dir := filepath.Join(s.dir, prefix)
	flags := unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	if prefix != "" {
		flags |= unix.O_NOFOLLOW
	}
	f, err := os.OpenFile(dir, flags, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	fd := int(f.Fd())
	nodes = slices.Grow(nodes, len(names))
	for _, name := range names {
		var st unix.Stat_t
		err := ignoringEINTR(func() error { return unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
		if err != nil {
			return nil, &os.PathError{Op: "lstat", Path: filepath.Join(dir, name), Err: err}
		}
		nodes = append(nodes, newNode(prefix+name, &st))
	}
	return nodes, nil
}

// linkLeaders maps each further name of a hard-linked file to the first name
// of it in nodes, as positions in nodes, which must be sorted.
func linkLeaders(nodes []node) map[int]int {
	first := map[inode]int{}
	leaders := map[int]int{}
	for i := range nodes {
		n := &nodes[i]
		if n.isDir() || n.nlink < 2 || n.isWhiteout() {
			continue
		}
		if leader, ok := first[n.inode()]; ok {
			leaders[i] = leader
		} else {
			first[n.inode()] = i
		}
	}
	return leaders
}

func ignoringEINTR(call func() error) error {
	for {
		err := call()
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// readLink returns the target of the symbolic link at path.
func readLink(path string) (string, error) {
	target, err := os.Readlink(path)
	if err != nil {
		return "", fmt.Errorf("read symbolic link: %w", err)
	}
	return target, nil
}

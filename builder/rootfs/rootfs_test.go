package rootfs_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder/rootfs"
	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/source/apt"
	"github.com/mesos-forge/forge/builder/store"
)

// mainEnv makes the test binary build a base tree as a program of its own; see TestRootless.
const mainEnv = "ROOTFS_TEST_MAIN"

var epoch = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	sandbox.Init()
	if os.Getenv(mainEnv) != "" {
		os.Exit(rootlessMain(os.Args[1], os.Args[2]))
	}
	code := m.Run()
	if base.dir != "" {
		os.RemoveAll(filepath.Dir(base.dir))
	}
	os.Exit(code)
}

func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// base is the tree of Essential packages that the tests share, sealed.
var base struct {
	once     sync.Once
	dir      string
	packages []rootfs.Package
	err      error
	offline  bool
}

func baseTree(t *testing.T) string {
	t.Helper()
	base.once.Do(func() { base.err = makeBase() })
	if base.offline {
		missing(t, "no Debian packages to be had: %v", base.err)
	}
	if base.err != nil {
		t.Fatal(base.err)
	}
	return base.dir
}

// makeBase fetches the packages through apt, into a store that later runs find again, and
// installs them.
func makeBase() error {
	ctx := context.Background()
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	blobs, err := store.Open(filepath.Join(cache, "forge-tests"))
	if err != nil {
		return err
	}
	defer blobs.Close()
	temp, err := blobs.TempDir("rootfs-test")
	if err != nil {
		return err
	}
	defer temp.Remove()
	base.offline = true
	client := &apt.Client{Temp: temp.Dir}
	mirror, err := client.HostMirror(ctx)
	if err != nil {
		return err
	}
	snapshot, err := client.Update(ctx, mirror.Archives("bookworm"), "amd64", filepath.Join(temp.Dir, "snapshot"))
	if err != nil {
		return err
	}
	solved, err := client.Solve(ctx, snapshot, apt.Request{Name: "base", Essential: true, Install: []string{"usr-is-merged", "apt"}})
	if err != nil {
		return err
	}
	if err := client.Fetch(ctx, solved, blobs, apt.FetchOptions{Mirror: mirror, Temp: temp.Dir, Jobs: 2}); err != nil {
		return err
	}
	base.offline = false
	for _, p := range solved {
		path, err := blobs.BlobPath(p.Digest)
		if err != nil {
			return err
		}
		base.packages = append(base.packages, rootfs.Package{Name: p.Name, Version: p.Version, Arch: p.Architecture, Path: path, Auto: p.Auto})
	}
	top, err := os.MkdirTemp("/var/tmp", "rootfs-test-")
	if err != nil {
		return err
	}
	base.dir = filepath.Join(top, "base")
	return build(ctx, base.dir, base.packages, 0)
}

// build makes and seals a base tree.
func build(ctx context.Context, dir string, packages []rootfs.Package, jobs int) error {
	err := rootfs.Base(ctx, rootfs.BaseSpec{Dir: dir, Install: rootfs.Install{Packages: packages, Epoch: epoch, Jobs: jobs}})
	if err != nil {
		return err
	}
	return rootfs.Seal(ctx, rootfs.SealSpec{Dir: dir, Epoch: epoch})
}

// workDir is a temporary directory beside the base tree.
func workDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(filepath.Dir(baseTree(t)), "work-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// in runs a command in a tree and returns its standard output.
func in(t *testing.T, root string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := sandbox.Run(t.Context(), sandbox.Spec{Root: root, Args: args, Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// deb describes a small package that a test makes.
type deb struct {
	name    string
	version string            // "" means 1
	fields  string            // further control fields, with a newline each
	files   map[string]string // path -> content; a path that ends in / is a directory
	control map[string]string // files of the control part, scripts among them
}

// make builds the package with dpkg-deb.
func (d deb) make(t *testing.T) rootfs.Package {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	if d.version == "" {
		d.version = "1"
	}
	files := map[string]string{"DEBIAN/control": fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Test <test@example.org>\n"+
		"Description: test\n%s", d.name, d.version, d.fields)}
	for name, content := range d.files {
		files[strings.TrimPrefix(name, "/")] = content
	}
	for name, content := range d.files {
		files["DEBIAN/md5sums"] += fmt.Sprintf("%x  %s\n", md5.Sum([]byte(content)), strings.TrimPrefix(name, "/"))
	}
	for name, content := range d.control {
		files["DEBIAN/"+name] = content
	}
	for name, content := range files {
		path := filepath.Join(tree, name)
		mode := os.FileMode(0o644)
		if slices.Contains([]string{"preinst", "postinst", "prerm", "postrm", "update-initramfs"}, filepath.Base(name)) {
			mode = 0o755
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, d.name+"_"+d.version+"_all.deb")
	cmd := exec.Command("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, path)
	cmd.Env = append(os.Environ(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch.Unix()-1000))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v: %s", err, out)
	}
	return rootfs.Package{Name: d.name, Version: d.version, Arch: "all", Path: path}
}

// delta installs over lower and returns the upper layer, or the error.
func delta(t *testing.T, lower []string, change func(*rootfs.DeltaSpec), debs ...deb) (string, error) {
	t.Helper()
	work := workDir(t)
	s := rootfs.DeltaSpec{Lower: lower, Dir: filepath.Join(work, "upper"), Work: filepath.Join(work, "work"), Install: rootfs.Install{Epoch: epoch}}
	for _, d := range debs {
		s.Packages = append(s.Packages, d.make(t))
	}
	if change != nil {
		change(&s)
	}
	if err := rootfs.Delta(t.Context(), s); err != nil {
		return "", err
	}
	return s.Dir, rootfs.Seal(t.Context(), rootfs.SealSpec{Dir: s.Dir, Epoch: epoch, Delta: true})
}

// see mounts layers, the topmost first, and returns where.
func see(t *testing.T, layers ...string) string {
	t.Helper()
	work := workDir(t)
	dirs := map[string]string{}
	for _, name := range []string{"upper", "work", "merged"} {
		dirs[name] = filepath.Join(work, name)
		if err := os.Mkdir(dirs[name], 0o755); err != nil {
			t.Fatal(err)
		}
	}
	unmount, err := sandbox.Overlay(layers, dirs["upper"], dirs["work"], dirs["merged"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unmount(); err != nil {
			t.Error(err)
		}
	})
	return dirs["merged"]
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

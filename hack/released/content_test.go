package released_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/archive"
)

// arches are the architectures of a release, with the machine of their programs.
var arches = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// programs of a release, below /usr in a package and below the top of an archive.
var programs = []string{"bin/forge", "libexec/forge/forge-node", "libexec/forge/forge-standin"}

func (r *released) archive(arch string) string {
	return filepath.Join(r.dist, "forge_"+r.version+"_linux_"+arch+".tar.gz")
}

func (r *released) deb(arch string) string {
	return filepath.Join(r.dist, "forge_"+strings.ReplaceAll(r.version, "-", "~")+"_"+arch+".deb")
}

// files are what a release offers.
func (r *released) files() []string {
	var out []string
	for arch := range arches {
		for _, f := range []string{r.archive(arch), r.deb(arch)} {
			out = append(out, filepath.Base(f), filepath.Base(f)+".spdx.json")
		}
	}
	slices.Sort(out)
	return out
}

func (r *released) checksums(t *testing.T) {
	sums, err := os.ReadFile(filepath.Join(r.dist, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for line := range strings.Lines(string(sums)) {
		digest, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		named = append(named, name)
		if got := sha256Of(t, filepath.Join(r.dist, name)); got != digest {
			t.Errorf("%s has the digest %s, SHA256SUMS says %s", name, got, digest)
		}
	}
	slices.Sort(named)
	if want := r.files(); !slices.Equal(named, want) {
		t.Errorf("SHA256SUMS names %q, want %q", named, want)
	}
}

// archives unpacks them, and wants everything of the checkout that a release has, with the modes of git.
func (r *released) archives(t *testing.T) {
	checkout := filepath.Dir(r.dist)
	for arch := range arches {
		f, err := os.Open(r.archive(arch))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		unzipped, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		found, dir := r.unpack(t, unzipped)
		r.trees[arch] = filepath.Join(dir, "forge_"+r.version+"_linux_"+arch)
		want := map[string]fs.FileMode{}
		top := filepath.Base(r.trees[arch]) + "/"
		for _, p := range programs {
			want[top+p] = 0o755
		}
		for _, name := range []string{"LICENSE", "README.md", "cluster.example.yaml", "completions/forge.bash", "completions/_forge", "completions/forge.fish"} {
			want[top+name] = 0o644
		}
		for _, folder := range []string{"docs", "recipes", "overlays"} {
			modesBelow(t, checkout, folder, top, want)
		}
		for _, name := range manuals(t, checkout) {
			want[top+"man/man1/"+name] = 0o644
		}
		compare(t, filepath.Base(f.Name()), found, want)
	}
}

// packages looks into the Debian packages, and at what lintian and dpkg say of them.
func (r *released) packages(t *testing.T) {
	checkout := filepath.Dir(r.dist)
	for arch := range arches {
		name := r.deb(arch)
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		fi, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		deb, err := archive.OpenDeb(context.Background(), f, fi.Size(), archive.DebOptions{Name: fi.Name()})
		if err != nil {
			t.Fatal(err)
		}
		data, err := deb.Data(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer data.Close()
		found, dir := r.unpack(t, data)
		want := map[string]fs.FileMode{}
		for _, p := range programs {
			want["usr/"+p] = 0o755
			if a, b := sha256Of(t, filepath.Join(dir, "usr", p)), sha256Of(t, filepath.Join(r.trees[arch], p)); a != b {
				t.Errorf("%s of %s is another than that of the archive", p, fi.Name())
			}
		}
		for _, name := range []string{"doc/forge/changelog.gz", "doc/forge/copyright", "doc/forge/examples/cluster.example.yaml", "lintian/overrides/forge",
			"bash-completion/completions/forge", "zsh/vendor-completions/_forge", "fish/vendor_completions.d/forge.fish"} {
			want["usr/share/"+name] = 0o644
		}
		for _, folder := range []string{"recipes", "overlays"} {
			modesBelow(t, checkout, folder, "usr/share/forge/", want)
		}
		for _, name := range manuals(t, checkout) {
			want["usr/share/man/man1/"+name] = 0o644
		}
		compare(t, fi.Name(), found, want)
	}
	if out := run(t, ".", "lintian", "--no-cfg", "--allow-root", "--fail-on", "none", r.deb("amd64")); out != "" {
		t.Errorf("lintian:\n%s", out)
	}
	install(t, r.deb("amd64"))
}

// install installs a package into an empty tree. What it depends on is the machine's affair.
func install(t *testing.T, deb string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Log("not root: dpkg is not asked to install the package")
		return
	}
	root := t.TempDir()
	for _, dir := range []string{"updates", "info"} {
		if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, ".", "dpkg", "--root", root, "--force-depends", "--install", deb)
	if state := run(t, ".", "dpkg-query", "--root", root, "--show", "--showformat", "${db:Status-Status} ${Version}", "forge"); state != "installed 0.9.1~next" {
		t.Errorf("after the installation dpkg says %q", state)
	}
	if wrong := run(t, ".", "dpkg", "--root", root, "--verify", "forge"); wrong != "" {
		t.Errorf("dpkg --verify: %s", wrong)
	}
}

// programs wants static programs of the right architecture; those of this machine run.
func (r *released) programs(t *testing.T) {
	for arch, machine := range arches {
		for _, p := range programs {
			f, err := elf.Open(filepath.Join(r.trees[arch], p))
			if err != nil {
				t.Fatal(err)
			}
			if f.Machine != machine {
				t.Errorf("%s of %s is for %s", p, arch, f.Machine)
			}
			if libraries, err := f.ImportedLibraries(); err != nil || len(libraries) > 0 {
				t.Errorf("%s of %s needs %q (%v)", p, arch, libraries, err)
			}
			f.Close()
		}
	}
	if out := run(t, ".", filepath.Join(r.trees["amd64"], "bin/forge"), "version"); out != "forge v"+r.version+"\n" {
		t.Errorf("forge version says %q", out)
	}
	// What forge makes of a checkout has the same bytes, so a release and its checkout make the same packages.
	program := filepath.Join(t.TempDir(), "forge-node")
	run(t, "../..", "env", "CGO_ENABLED=0", "GOFLAGS=", "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", program, "./cmd/forge-node")
	if sha256Of(t, program) != sha256Of(t, filepath.Join(r.trees["amd64"], "libexec/forge/forge-node")) {
		t.Error("forge-node of the release is another than that of a build from the checkout")
	}
}

// unpack unpacks a tar, and returns its files and their modes by name.
func (r *released) unpack(t *testing.T, content io.Reader) (map[string]fs.FileMode, string) {
	t.Helper()
	found, dir := map[string]fs.FileMode{}, r.t.TempDir()
	for in := tar.NewReader(content); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return found, dir
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Mode&0o7022 != 0 {
			t.Errorf("%s belongs to %d:%d and has the mode %04o", h.Name, h.Uid, h.Gid, h.Mode)
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		if h.Typeflag != tar.TypeReg {
			t.Fatalf("%s is no file", h.Name)
		}
		name := strings.TrimPrefix(h.Name, "./")
		found[name] = fs.FileMode(h.Mode)
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fs.FileMode(h.Mode))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(f, in); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// modesBelow enters the files of a folder of the checkout, with the modes that git keeps.
func modesBelow(t *testing.T, checkout, folder, to string, want map[string]fs.FileMode) {
	t.Helper()
	for line := range strings.Lines(run(t, checkout, "git", "ls-files", "--stage", folder)) {
		about, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(about, "100755") {
			mode = 0o755
		}
		want[to+name] = mode
	}
}

func manuals(t *testing.T, checkout string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(checkout, "release", "man"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	for _, command := range []string{"forge", "forge-build", "forge-push"} {
		if !slices.Contains(names, command+".1.gz") {
			t.Errorf("no manual page of %s", command)
		}
	}
	return names
}

func compare(t *testing.T, name string, found, want map[string]fs.FileMode) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if mode, ok := found[path]; !ok {
			t.Errorf("%s lacks %s", name, path)
		} else if mode != want[path] {
			t.Errorf("%s: %s has the mode %04o, want %04o", name, path, mode, want[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(found)) {
		if _, ok := want[path]; !ok {
			t.Errorf("%s has %s, which nobody asked for", name, path)
		}
	}
}

func sha256Of(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", path, err))
	}
	return hex.EncodeToString(h.Sum(nil))
}

package builder

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/mesos-forge/forge/builder/compare"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/publish"
)

var diffEpoch = time.Unix(1_700_000_000, 0).UTC()

func tarHeader(name string, kind byte, mode int64, target string) tar.Header {
	return tar.Header{Name: name, Typeflag: kind, Mode: mode, Linkname: target, ModTime: diffEpoch, Format: tar.FormatPAX}
}

// diffTar writes a tar. Names that end with a slash are folders; a content that starts with "->" is a link, one
// that starts with "suid " that of a program with rights.
func diffTar(t *testing.T, content ...string) []byte {
	t.Helper()
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for i := 0; i < len(content); i += 2 {
		name, text := content[i], content[i+1]
		h := tarHeader(name, tar.TypeReg, 0o644, "")
		target, link := strings.CutPrefix(text, "->")
		switch {
		case strings.HasSuffix(name, "/"):
			h = tarHeader(name, tar.TypeDir, 0o755, "")
		case link:
			h, text = tarHeader(name, tar.TypeSymlink, 0o777, target), ""
		case strings.HasPrefix(text, "suid "):
			h.Mode, h.Uid = 0o4755, 1
			h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "\x01\x02"}
		}
		h.Size = int64(len(text))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return plain.Bytes()
}

// diffLayer writes a layer.
func diffLayer(t *testing.T, made string, content ...string) oci.LayerFile {
	t.Helper()
	var packed bytes.Buffer
	plain := diffTar(t, content...)
	z, err := gzip.NewWriterLevel(&packed, gzip.NoCompression) // the same bytes with every version of Go
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "layer")
	if err := os.WriteFile(file, packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return oci.LayerFile{Path: file, DiffID: fmt.Sprintf("sha256:%x", sha256.Sum256(plain)), Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(packed.Bytes())),
		Size: int64(packed.Len()), History: "forge " + made}
}

// diffDeb writes a package into a folder.
func diffDeb(t *testing.T, dir, version, more string, control []string, data ...string) string {
	t.Helper()
	var ar bytes.Buffer
	ar.WriteString("!<arch>\n")
	text := "Package: tool\nVersion: " + version + "\nArchitecture: all\n" + more
	for _, m := range []struct {
		name    string
		content []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar", diffTar(t, append([]string{"control", text}, control...)...)}, {"data.tar", diffTar(t, data...)}} {
		fmt.Fprintf(&ar, "%-16s%-12d%-6d%-6d%-8s%-10d`\n%s", m.name, 0, 0, 0, "100644", len(m.content), m.content)
		if ar.Len()%2 == 1 {
			ar.WriteByte('\n')
		}
	}
	file := filepath.Join(dir, "tool_"+version+"_all.deb")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, ar.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func dpkgStatus(packages ...string) string {
	var b strings.Builder
	for i := 0; i < len(packages); i += 3 {
		fmt.Fprintf(&b, "Package: %s\nStatus: install ok installed\nArchitecture: amd64\nVersion: %s\nInstalled-Size: %s\n\n", packages[i], packages[i+1], packages[i+2])
	}
	return b.String()
}

// diffBuilds makes two output folders with the role slave: the second one has other versions of packages, files and settings.
func diffBuilds(t *testing.T) (a, b string) {
	t.Helper()
	base := diffLayer(t, "layer/base", "./", "", "etc/", "", "etc/motd", "hello\n", "etc/hosts", "127.0.0.1 localhost\n", "lib", "->usr/lib", "usr/", "", "usr/lib/", "", "usr/bin/", "", "usr/bin/su", "binary", "usr/share/", "",
		"var/", "", "var/lib/", "", "var/lib/dpkg/", "", "var/lib/dpkg/info/", "")
	before := diffLayer(t, "layer/role/slave", "etc/motd", "slave 1\n", "usr/lib/libold.so.1", strings.Repeat("old", 2000), "usr/lib/tool.jar", strings.Repeat("1", 5000), "usr/share/doc/", "", "usr/share/doc/a", "a", "usr/share/doc/b", "b",
		"var/lib/dpkg/status", dpkgStatus("gone", "1.0-1", "6", "same", "1", "1", "tool", "1.2-1", "5", "util-linux", "2.38", "9"),
		"var/lib/dpkg/info/gone.list", "/.\n/lib\n/lib/libold.so.1\n", "var/lib/dpkg/info/tool.list", "/.\n/usr/lib/tool.jar\n", "var/lib/dpkg/info/util-linux:amd64.list", "/.\n/usr/bin/su\n")
	after := diffLayer(t, "layer/role/slave", "etc/.wh.hosts", "", "etc/motd", "slave 2\n", "etc/bad\x1b[31mname", "", "usr/bin/su", "suid ", "usr/lib/tool.jar", strings.Repeat("2", 8000), "usr/lib/tool.so", "->tool.jar",
		"var/lib/dpkg/status", dpkgStatus("new", "3", "1", "same", "1", "1", "tool", "1.3-1", "8", "util-linux", "2.38", "9"),
		"var/lib/dpkg/info/new.list", "/.\n", "var/lib/dpkg/info/tool.list", "/.\n/usr/lib/tool.jar\n/lib/tool.so\n", "var/lib/dpkg/info/util-linux:amd64.list", "/.\n/usr/bin/su\n")
	a, b = filepath.Join(t.TempDir(), "out"), filepath.Join(t.TempDir(), "out")
	placeDiffRole(t, a, base, before, oci.Config{Env: []string{"PATH=/bin", "TZ=UTC"}, ExposedPorts: []string{"5051/tcp"}, Entrypoint: []string{"/init"}}, "1.2-1")
	placeDiffRole(t, b, base, after, oci.Config{Env: []string{"PATH=/bin:/usr/bin"}, ExposedPorts: []string{"50075/tcp", "5051/tcp"}, Entrypoint: []string{"/init", "now"}, StopSignal: "SIGTERM"}, "1.3-1")
	return a, b
}

func placeDiffRole(t *testing.T, out string, base, role oci.LayerFile, cfg oci.Config, version string) {
	t.Helper()
	cfg.Role, cfg.Created = "slave", diffEpoch
	dir := filepath.Join(out, "slave")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := oci.WriteLayout(filepath.Join(dir, "image"), []oci.LayerFile{base, role}, cfg); err != nil {
		t.Fatal(err)
	}
	bill := publish.Bill{Format: 1, Role: "slave", Packages: []publish.Package{
		{Name: "linux-image", Version: "6.1", Architecture: "amd64", SHA256: strings.Repeat(version[2:3], 64), InstalledSize: 5}, {Name: "tool", Version: version, Architecture: "amd64"}}}
	l := &lock.Lock{Format: lock.Format, Date: diffEpoch, Stack: "bookworm", Packages: []lock.Package{{Name: "tool", Version: version, Arch: "amd64", SHA256: strings.Repeat("a", 64)}}}
	var list bytes.Buffer
	if err := bill.Write(&list); err != nil {
		t.Fatal(err)
	}
	text, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"packages.json": list.Bytes(), lockFile: text, "disk.qcow2": []byte("disk " + version)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func diffOf(t *testing.T, a, b string, all bool) string {
	t.Helper()
	res, err := Compare(t.Context(), a, b, oci.RemoteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	res.A, res.B = "A", "B"
	var text strings.Builder
	if err := WriteDiff(&text, res, all); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// TestDiff compares two builds as a person sees it.
func TestDiff(t *testing.T) {
	a, b := diffBuilds(t)
	debA := diffDeb(t, filepath.Join(a, "debs"), "1.2-1", "Depends: a\n", []string{"conffiles", "/etc/tool\n", "postinst", "#!/bin/sh\n", "md5sums", "x"}, "etc/", "", "etc/tool", "1", "usr/", "", "usr/tool", "a")
	debB := diffDeb(t, filepath.Join(b, "debs"), "1.3-1", "Depends: a, b\n", []string{"postinst", "#!/bin/sh\ntrue\n", "md5sums", "y"}, "usr/", "", "usr/tool", "b", "usr/new", "")
	onlyA, onlyB := filepath.Join(t.TempDir(), "out"), filepath.Join(t.TempDir(), "out")
	diffDeb(t, filepath.Join(onlyA, "debs"), "1.2-1", "", nil, "usr/", "", "usr/tool", "a")
	diffDeb(t, filepath.Join(onlyB, "debs"), "1.2-1", "", nil, "usr/", "", "usr/tool", "b")
	form := t.TempDir()
	for _, tt := range []struct {
		name, a, b string
	}{
		{"builds", a, b},
		{"images", filepath.Join(a, "slave", "image"), filepath.Join(b, "slave", "image")},
		{"nothing", filepath.Join(b, "slave"), b},
		{"debs", debA, debB},
		{"debs alone", onlyA, onlyB},
		{"debs in another form", diffDeb(t, filepath.Join(form, "a"), "1", "", nil, "usr/", "", "usr/a", "", "usr/b", ""), diffDeb(t, filepath.Join(form, "b"), "1", "", nil, "usr/", "", "usr/b", "", "usr/a", "")},
		{"locks", filepath.Join(a, "slave", lockFile), filepath.Join(b, "slave", lockFile)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := diffOf(t, tt.a, tt.b, false)
			golden := filepath.Join("testdata", "diff", strings.ReplaceAll(tt.name, " ", "-")+".txt")
			if *update {
				if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDiffWithRegistry compares a pushed image with a build, whatever the role's folder is called, and both ways of
// naming an image in it.
func TestDiffWithRegistry(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	ref := strings.TrimPrefix(server.URL, "http://") + "/cluster/slave:1"
	a, b := diffBuilds(t)
	if _, err := oci.Push(t.Context(), filepath.Join(a, "slave", "image"), ref, oci.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	local := diffOf(t, filepath.Join(a, "slave", "image"), filepath.Join(b, "slave", "image"), true)
	if got := diffOf(t, ref, b, true); got != local {
		t.Errorf("a pushed image with a build (-layouts +registry):\n%s", cmp.Diff(local, got))
	}
	if got := diffOf(t, ref, a, true); !strings.Contains(got, "They are the same.") {
		t.Errorf("a pushed image with what was pushed:\n%s", got)
	}
	for _, name := range []string{ref + "2", "127.0.0.1:1/x:1"} {
		if _, err := Compare(t.Context(), name, b, oci.RemoteOptions{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDiffJSON: the result holds everything, and is the same every time.
func TestDiffJSON(t *testing.T) {
	a, b := diffBuilds(t)
	encode := func() string {
		res, err := Compare(t.Context(), a, b, oci.RemoteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(res)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	first := encode()
	if second := encode(); first != second {
		t.Errorf("two runs differ (-first +second):\n%s", cmp.Diff(first, second))
	}
	var res compare.Result
	if err := json.Unmarshal([]byte(first), &res); err != nil || res.Same || len(res.Parts) != 1 || res.Parts[0].Kind != kindRole {
		t.Fatalf("%v: %s", err, first)
	}
	for _, f := range res.Parts[0].Files {
		if f.Path != "/usr/bin/su" {
			continue
		}
		if diff := cmp.Diff([]string{"mode", "owner", "size", "content", "xattrs"}, f.What); diff != "" || f.Package != "util-linux" || f.A.Mode != 0o644 || f.B.Mode != 0o4755 ||
			f.B.UID != 1 || string(f.B.Xattrs["security.capability"]) != "\x01\x02" || f.A.Digest == f.B.Digest {
			t.Errorf("%+v %+v %+v %s", f, f.A, f.B, diff)
		}
		return
	}
	t.Error("/usr/bin/su is not in the difference")
}

// TestDiffForm: images whose files are the same differ all the same when their layers do.
func TestDiffForm(t *testing.T) {
	base := diffLayer(t, "layer/base", "etc/", "", "etc/a", "1", "etc/b", "2")
	other := diffLayer(t, "layer/base", "etc/", "", "etc/b", "2", "etc/a", "1")
	role := diffLayer(t, "layer/role/slave", "x", "y")
	a, b := t.TempDir(), t.TempDir()
	placeDiffRole(t, a, base, role, oci.Config{}, "1.2-1")
	placeDiffRole(t, b, other, role, oci.Config{}, "1.2-1")
	got := diffOf(t, a, b, false)
	if !strings.Contains(got, "no file differs; the first difference is in layer 1 (layer/base): /etc/a: order: at this place in A, after /etc/b in B") || !strings.Contains(got, "layers: 1 of 2 the same") {
		t.Error(got)
	}
}

func TestDiffRefuses(t *testing.T) {
	a, b := diffBuilds(t)
	placeDiffRole(t, filepath.Join(b, "other"), diffLayer(t, "x", "a", ""), diffLayer(t, "y", "b", ""), oci.Config{}, "1.2-1")
	if err := os.Rename(filepath.Join(b, "other", "slave"), filepath.Join(b, "master")); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("not a lock, not a package"), 0o644); err != nil {
		t.Fatal(err)
	}
	damaged, _ := diffBuilds(t)
	blobs, err := filepath.Glob(filepath.Join(damaged, "slave", "image", "blobs", "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range blobs {
		if fi, err := os.Stat(blob); err == nil && fi.Size() > 400 {
			if content, err := os.ReadFile(blob); err == nil && content[0] == 0x1f {
				if err := os.WriteFile(blob, content[:len(content)-20], 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, tt := range []struct{ name, a, b, want string }{
		{"an empty folder", a, t.TempDir(), "nothing that forge build made is there"},
		{"a file that isn't there", a, "./nowhere", "there is no such file or folder"},
		{"a name without a host", a, "nowhere", "there is no such file or folder; an image in a registry is named with its host"},
		{"a text", a, text, "neither a .deb nor a lock"},
		{"kinds that don't fit", filepath.Join(a, "slave"), filepath.Join(a, "slave", lockFile), "these can't be compared"},
		{"an image and a lock", filepath.Join(a, "slave", "image"), filepath.Join(a, "slave", lockFile), "these can't be compared"},
		{"a lock and a build of two roles", filepath.Join(a, "slave", lockFile), b, "holds 2 roles: name the folder of one"},
		{"a damaged layer", damaged, b, "unexpected EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Compare(t.Context(), tt.a, tt.b, oci.RemoteOptions{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want %q", err, tt.want)
			}
		})
	}
}

// TestDiffText: what is long is cut, and --all shows it.
func TestDiffText(t *testing.T) {
	p := compare.Part{Kind: "role", Name: "slave"}
	for i := range 40 {
		p.Settings = append(p.Settings, compare.Value{Name: fmt.Sprintf("label %02d", i), Change: compare.Changed, A: strings.Repeat("a", 100), B: "\x1b[2J"})
		p.Sizes = append(p.Sizes, compare.SizeChange{Package: fmt.Sprintf("p%02d", i), B: compare.Usage{Bytes: int64(20 - i)}, A: compare.Usage{Installed: 1000}})
		p.Files = append(p.Files, compare.FileChange{Path: fmt.Sprintf("/f%02d", i), Change: compare.Added, Package: "p00", B: &compare.File{Type: "file"}},
			compare.FileChange{Path: fmt.Sprintf("/g%02d", i), Change: compare.Removed, Package: fmt.Sprintf("q%02d", i), A: &compare.File{Type: "file"}})
	}
	p.Whole = &compare.SizeChange{}
	res := &compare.Result{A: "a", B: "b", Parts: []compare.Part{p, {Kind: "deb", Name: "x.deb", Change: compare.Added}, {Kind: "deb", Name: "same.deb"}}}
	var cut, whole strings.Builder
	if err := WriteDiff(&cut, res, false); err != nil {
		t.Fatal(err)
	}
	if err := WriteDiff(&whole, res, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"... and 20 more", "... and 30 more", "... and 32 more", "... and 21 more packages", "deb x.deb: added", "1 other part is the same", `aaa... -> "\x1b[2J"`} {
		if !strings.Contains(cut.String(), want) {
			t.Errorf("%q is not in:\n%s", want, cut.String())
		}
	}
	for i := range 40 {
		for _, name := range []string{fmt.Sprintf("label %02d:", i), fmt.Sprintf("p%02d:", i), fmt.Sprintf("/f%02d", i), fmt.Sprintf("/g%02d", i)} {
			if !strings.Contains(whole.String(), name) {
				t.Errorf("--all leaves %s out", name)
			}
		}
	}
	if strings.Contains(whole.String(), "more (--all") || strings.Contains(whole.String(), "\x1b") {
		t.Error(whole.String())
	}
}

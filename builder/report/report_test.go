package report_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/report"
)

// hostile is text that would leave any place in a page where it isn't escaped.
const hostile = `"'></style></title></summary><script>document.title='owned'</script><img src=x onerror=alert(1)>{{.}}`

// sample is a build of one role with everything in it that a page shows.
func sample() report.Data {
	start := time.Date(2025, 11, 24, 21, 4, 9, 0, time.UTC)
	d := report.Data{Stack: "bookworm", Version: "1", Summary: "Debian 12 with Hadoop " + hostile, Distribution: "debian 12 (bookworm)",
		Epoch: time.Date(2025, 11, 23, 0, 0, 0, 0, time.UTC), Started: start, Took: 92 * time.Second}
	for i, name := range []string{"index/bookworm", "solve/base", "rootfs/base", "sources/hadoop", "deb/forge-hadoop", "rootfs/role/slave", "disk/slave"} {
		d.Steps = append(d.Steps, report.Step{Name: name, Kind: "kind", Offset: time.Duration(i) * 11 * time.Second, Took: time.Duration(3+i*2) * time.Second, Made: start})
	}
	for _, name := range []string{"index/trixie", "rootfs/tools", hostile} {
		d.Steps = append(d.Steps, report.Step{Name: name, Kind: "kind", Hit: true, Took: 1500 * time.Millisecond, Made: start.Add(-time.Hour)})
	}
	r := report.Role{Name: "slave", Summary: "node that stores blocks", Image: "sha256:" + strings.Repeat("c", 64), ImageSize: 160e6, DiskSize: 286e6,
		Components: []report.Component{{Name: "mesos", Version: "1.11.0", Summary: "Mesos", Homepage: "javascript:alert(1)", StandIn: true}},
		StandIns:   []report.StandIn{{Package: "mesos", Version: "1.11.0-1~standin1", Summary: "for wiring checks only", Want: "mesos_1.*_amd64.deb", Vendor: "/srv/" + strings.Repeat("long/", 60)}},
		Results: []report.File{{Path: "debs/" + strings.Repeat("very-", 40) + "long.deb", Size: 10667834, Digest: "sha256:" + strings.Repeat("a", 64)},
			{Path: "slave/image/", Size: 160e6, Digest: "sha256:" + strings.Repeat("c", 64)}},
	}
	for i := range 240 {
		r.Packages = append(r.Packages, report.Package{Name: fmt.Sprintf("package-%d", i), Version: "1:2.36-9+deb12u" + strings.Repeat("7", 40), Layer: []string{"base", "role", "container", "boot"}[i%4],
			Licence: strings.Repeat("LicenseRef-Something AND ", 30) + "MIT", Installed: int64(i) << 20, Deb: int64(i) << 18, StandIn: i == 239})
	}
	for i, name := range []string{"base", "role", "container", "boot"} {
		r.Layers = append(r.Layers, report.Layer{Name: name, In: "image and the disk", Packages: 60, Compressed: int64(3-i) * 59e6, Digest: "sha256:" + strings.Repeat("d", 64),
			Tree: report.Folder{Name: "/", Dir: true, Size: 100e6, Files: 1000, Children: []report.Folder{
				{Name: "usr", Dir: true, Size: 90e6, Files: 990, Children: []report.Folder{{Name: hostile, Size: 80e6, Files: 1}, {Size: 10e6, Files: 989}}}, {Size: 10e6, Files: 10}}}})
	}
	d.Roles = []report.Role{r}
	c := report.Changes{Role: "slave", Before: 100e6, After: 90e6, Added: 1000, Removed: 2, Altered: 3,
		Packages: []report.Changed{{Sign: "+", Name: "new-" + strings.Repeat("very-", 40) + "long", After: "1.0-1"}, {Sign: "-", Name: "gone", Before: "2"}, {Sign: "~", Name: hostile, Before: "1", After: strings.Repeat("2", 200)}},
		Settings: []report.Changed{{Sign: "~", Name: "label " + hostile, Before: strings.Repeat("a", 500), After: hostile}},
		Layers:   []report.Changed{{Sign: "~", Name: "layer/role/slave", Before: "59 MB 0123456789ab", After: "60 MB 0123456789ab"}},
		Grown:    []report.Grown{{Package: "tool", Before: 1e6, After: 3e6}, {Before: 9e6, After: 1e6}},
	}
	for i := range 400 {
		c.Files = append(c.Files, report.Changed{Sign: "~", Name: fmt.Sprintf("/usr/share/%s/%d", strings.Repeat("x", 200), i), Package: "tool", After: "mode 0644 -> 0755, content"})
	}
	d.Changes = []report.Changes{c, {Role: "master"}, {Role: "all", Failed: "it is damaged: " + hostile}}
	d.Next = []report.Command{{What: "Boot the disk", Line: "forge boot --role slave"}}
	return d
}

func write(t *testing.T, d report.Data) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWrite(t *testing.T) {
	page := write(t, sample())
	for _, want := range []string{"Changes since the build before", "&#43;2.0 MB", "-8.0 MB", "605 more files changed", "Nothing changed.", "could not be compared: it is damaged"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, want := range []string{"Content-Security-Policy", "default-src &#39;none&#39;", "prefers-color-scheme: dark"} {
		if !strings.Contains(page, want) && !strings.Contains(page, strings.ReplaceAll(want, "&#39;", "'")) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{"<script", "<img", "<link", "src=", "@import", "url(", "ZgotmplZ", "<no value>"} {
		if strings.Contains(strings.ReplaceAll(page, "src=x onerror", ""), bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	quiet := sample()
	for i := range quiet.Steps {
		quiet.Steps[i].Hit = true
	}
	quiet.Roles[0].StandIns = nil
	page = write(t, quiet)
	if !strings.Contains(page, "Nothing had to run") || strings.Contains(page, `id="stand-ins"`) {
		t.Error("a build without anything to run or stand in doesn't say so")
	}
	if page := write(t, report.Data{}); strings.Contains(page, `id="changes"`) {
		t.Error("a first build has a section of changes")
	}
}

func TestSizesAndTimes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9950: "10 kB", 999_499: "999 kB", 999_500: "1.0 MB", 285_671_424: "286 MB", 4e9: "4.0 GB", 5e15: "5000 TB"} {
		if got := report.Size(n); got != want {
			t.Errorf("%d bytes: %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0 ms", 45 * time.Millisecond: "45 ms", 999499 * time.Microsecond: "999 ms", 999500 * time.Microsecond: "1.0 s",
		59949 * time.Millisecond: "59.9 s", 59950 * time.Millisecond: "1 min 0 s", 125 * time.Second: "2 min 5 s", 64 * time.Minute: "1 h 4 min"} {
		if got := report.Took(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	files := map[string]int{"usr/lib/big": 60000, "usr/lib/small": 10, "usr/bin/tool": 30000, "etc/a": 5, "etc/b": 5, "a/b/c/d/e/f/g/h/deep": 10000}
	for name, size := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(dir, "usr/bin/tool"), filepath.Join(dir, "usr/bin/alias")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/", filepath.Join(dir, "usr/root")); err != nil {
		t.Fatal(err)
	}
	got, err := report.Measure(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	leaf := func(name string, size int64, files int) report.Folder {
		return report.Folder{Name: name, Size: size, Files: files}
	}
	folder := func(name string, size int64, files int, children ...report.Folder) report.Folder {
		return report.Folder{Name: name, Size: size, Files: files, Dir: true, Children: children}
	}
	deep := folder("f", 10000, 1)
	for _, name := range []string{"e", "d", "c", "b", "a"} {
		deep = folder(name, 10000, 1, deep)
	}
	want := folder("/", 100020, 8,
		folder("usr", 90010, 5, folder("lib", 60010, 2, leaf("big", 60000, 1), leaf("", 10, 1)), folder("bin", 30000, 2, leaf("alias", 30000, 1), leaf("", 0, 1)), leaf("", 0, 1)),
		deep, leaf("", 10, 2))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := report.Measure(t.Context(), dir+"/nowhere"); err == nil {
		t.Error("a folder that isn't there was measured")
	}
}

package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

var headerTime = time.Unix(1_600_000_000, 0)

// contents keeps a file's contents in a header of a test table.
const contents = "test.contents"

func file(name, content string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, ModTime: headerTime, PAXRecords: map[string]string{contents: content}}
}

func symlink(name, target string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: target, ModTime: headerTime}
}

func hardlink(name, target string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeLink, Mode: 0o644, Linkname: target, ModTime: headerTime}
}

func directory(name string, mode int64) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: mode, ModTime: headerTime}
}

func tarFile(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		content := h.PAXRecords[contents]
		records := map[string]string{}
		for key, value := range h.PAXRecords {
			if key != contents {
				records[key] = value
			}
		}
		h.PAXRecords = records
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatalf("header of %q: %v", h.Name, err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func openRoot(t testing.TB, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// sandboxDir makes a destination inside a directory that must stay as it is.
func sandboxDir(t testing.TB) (outside, dst string) {
	t.Helper()
	outside = t.TempDir()
	dst = filepath.Join(outside, "dst")
	if err := os.Mkdir(dst, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	return outside, dst
}

func checkOutside(t testing.TB, outside string) {
	t.Helper()
	names, err := os.ReadDir(outside)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 2 {
		t.Errorf("the archive made something outside: %v", names)
	}
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(outside, "secret"), &st); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(outside, "secret"))
	if err != nil || string(content) != "secret" || st.Nlink != 1 || st.Mode&0o777 != 0o600 {
		t.Errorf("the file outside was touched: %q, %d links, mode %o, error %v", content, st.Nlink, st.Mode, err)
	}
}

var attacks = []struct {
	name    string
	options Options
	entries []tar.Header
	reason  error
	want    string // part of the message
}{
	{"absolute", Options{}, []tar.Header{file("/etc/passwd", "x")}, ErrEscape, `entry "/etc/passwd": leads out of the destination: the name is absolute`},
	{"parent", Options{}, []tar.Header{file("../secret", "x")}, ErrEscape, `entry "../secret"`},
	{"parent inside", Options{}, []tar.Header{file("a/../../secret", "x")}, ErrEscape, `".."`},
	{"parent directory", Options{}, []tar.Header{directory("..", 0o777)}, ErrEscape, `".."`},
	{"not clean", Options{}, []tar.Header{file("a//b", "x")}, ErrName, `empty or "." component`},
	{"dot inside", Options{}, []tar.Header{file("a/./b", "x")}, ErrName, `empty or "." component`},
	{"file with slash", Options{}, []tar.Header{{Name: "././@x/.", Typeflag: tar.TypeSymlink, Linkname: "x"}}, ErrName, "component"},
	{"through a link", Options{}, []tar.Header{symlink("d", ".."), file("d/secret", "x")}, ErrEscape, `"d" is a symbolic link (to ".."), not a directory`},
	{"through a link inside", Options{}, []tar.Header{directory("e", 0o755), symlink("d", "e"), file("d/f", "x")}, ErrEscape, `"d" is a symbolic link`},
	{"through an absolute link", Options{}, []tar.Header{symlink("d", "/etc"), file("d/x", "x")}, ErrEscape, `"d" is a symbolic link`},
	{"directory over link", Options{}, []tar.Header{symlink("d", ".."), directory("d", 0o777)}, ErrEscape, `"d" is a symbolic link`},
	{"file over link", Options{}, []tar.Header{symlink("f", "../secret"), file("f", "x")}, ErrExists, "twice"},
	{"merge: through links to the parent", Options{Merge: true}, []tar.Header{symlink("d", "../../.."), file("d/secret/x", "x"), file("d/secret", "x")}, ErrExists, "a directory is there"},
	{"merge: file over link", Options{Merge: true}, []tar.Header{symlink("f", "../secret"), file("f", "x")}, ErrExists, "twice"},
	{"merge: link loop", Options{Merge: true}, []tar.Header{symlink("a", "b"), symlink("b", "a"), file("a/x", "x")}, ErrEscape, "too many symbolic links"},
	{"merge: same file by two names", Options{Merge: true}, []tar.Header{directory("usr", 0o755), symlink("bin", "usr"), file("bin/x", "1"), file("usr/x", "2")}, ErrExists, "twice"},
	{"confined: absolute target", Options{ConfineLinks: true}, []tar.Header{symlink("l", "/etc/passwd")}, ErrEscape, `symbolic link to "/etc/passwd"`},
	{"confined: parent target", Options{ConfineLinks: true}, []tar.Header{symlink("a/l", "../../secret")}, ErrEscape, `symbolic link to "../../secret"`},
	{"confined: through another link", Options{ConfineLinks: true}, []tar.Header{symlink("a/b/x", "../.."), symlink("y", "a/b/x/../secret")}, ErrEscape, `symbolic link to "a/b/x/../secret"`},
	{"hard link outside", Options{}, []tar.Header{hardlink("l", "../secret")}, ErrEscape, `hard link to "../secret"`},
	{"hard link absolute", Options{}, []tar.Header{hardlink("l", "/etc/passwd")}, ErrEscape, "absolute"},
	{"hard link to what was there", Options{Merge: true}, []tar.Header{hardlink("l", "old")}, ErrEscape, "not a file that the archive has before it"},
	{"hard link to nothing", Options{}, []tar.Header{hardlink("l", "no/where")}, ErrEscape, "not a file that the archive has before it"},
	{"hard link to a link", Options{}, []tar.Header{symlink("s", "../secret"), hardlink("l", "s")}, ErrEscape, "not a file that the archive has before it"},
	{"hard link through a link", Options{}, []tar.Header{symlink("d", ".."), hardlink("l", "d/secret")}, ErrEscape, `"d" is a symbolic link`},
	{"hard link to what was left out", Options{Include: []string{"b"}}, []tar.Header{file("a", "x"), hardlink("b", "a")}, nil, "which was left out"},
	{"not what is looked for", Options{Include: []string{"a", "*/web/**"}}, []tar.Header{file("a", "x"), file("azkaban/lib/x", "x")}, nil, "nothing in it matches */web/**"},
	{"device", Options{}, []tar.Header{{Name: "sda", Typeflag: tar.TypeBlock, Devmajor: 8}}, ErrType, "it is a device node"},
	{"whiteout", Options{AllowDevices: true}, []tar.Header{{Name: "gone", Typeflag: tar.TypeChar}}, ErrType, "overlayfs"},
	{"FIFO", Options{}, []tar.Header{{Name: "pipe", Typeflag: tar.TypeFifo}}, ErrType, "it is a FIFO"},
	{"overlay attribute", Options{Xattrs: true}, []tar.Header{{Name: "d", Typeflag: tar.TypeDir, PAXRecords: map[string]string{"SCHILY.xattr.user.overlay.redirect": "/x"}}}, ErrType, "user.overlay.redirect"},
	{"unknown type", Options{}, []tar.Header{{Name: "x", Typeflag: 'Z'}}, ErrType, `type flag is 'Z'`},
	{"twice", Options{}, []tar.Header{file("a", "1"), file("a", "2")}, ErrExists, "twice"},
	{"what was there", Options{}, []tar.Header{file("old", "new")}, ErrExists, "the destination has this name already"},
	{"file over directory", Options{Merge: true}, []tar.Header{directory("d", 0o755), file("d", "x")}, ErrExists, "a directory is there"},
	{"directory over file", Options{Merge: true}, []tar.Header{directory("old/x", 0o755)}, ErrExists, "needed as a directory"},
	{"entries", Options{Limits: Limits{Entries: 2}}, []tar.Header{file("a", ""), file("b", ""), file("c", "")}, ErrLimit, "more than 2 entries"},
	{"hard link to what was excluded", Options{Exclude: []string{"a"}}, []tar.Header{file("a", "x"), hardlink("b", "a")}, nil, "which was left out"},
	{"entries left out", Options{Limits: Limits{Entries: 2}, Include: []string{"z"}}, []tar.Header{file("a", ""), file("b", ""), file("c", "")}, ErrLimit, "more than 2 entries"},
	{"bytes", Options{Limits: Limits{Bytes: 5}}, []tar.Header{file("a", "123"), file("b", "456")}, ErrLimit, "unpacks to more than 5 bytes"},
	{"file bytes", Options{Limits: Limits{FileBytes: 5}}, []tar.Header{file("a", "123456")}, ErrLimit, "a file of 6 bytes; allowed are 5"},
	{"depth", Options{Limits: Limits{Depth: 3}}, []tar.Header{file("a/b/c/d", "")}, ErrLimit, "4 components; allowed are 3"},
	{"long name", Options{}, []tar.Header{file(strings.Repeat("a/", 2100)+"b", "")}, ErrLimit, "a name of 4201 bytes"},
	{"renamed out", Options{Rename: func(string) (string, bool) { return "../x", true }}, []tar.Header{file("a", "")}, ErrEscape, `renamed from "a"`},
	{"unknown owner", Options{Owner: NamedOwner(map[string]int{"root": 0}, nil)}, []tar.Header{{Name: "a", Typeflag: tar.TypeReg, Uname: "eve"}}, nil, `unknown user "eve"`},
	{"negative owner", Options{Owner: FixedOwner(-1, 0)}, []tar.Header{file("a", "")}, ErrMalformed, "owner -1:0"},
}

func TestExtractTarRefuses(t *testing.T) {
	for _, test := range attacks {
		t.Run(test.name, func(t *testing.T) {
			outside, dst := sandboxDir(t)
			if err := os.WriteFile(filepath.Join(dst, "old"), []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			test.options.Name = "evil.tar"
			_, err := ExtractTar(t.Context(), bytes.NewReader(tarFile(t, test.entries...)), openRoot(t, dst), test.options)
			var refused *EntryError
			if !errors.As(err, &refused) || refused.Archive != "evil.tar" {
				t.Fatalf("error is %v, want an EntryError of evil.tar", err)
			}
			if test.reason != nil && !errors.Is(err, test.reason) {
				t.Errorf("error is %v, want %v", err, test.reason)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want it to say %q", err, test.want)
			}
			checkOutside(t, outside)
			if old, err := os.ReadFile(filepath.Join(dst, "old")); string(old) != "old" || err != nil {
				t.Errorf("what was there is now %q (%v)", old, err)
			}
		})
	}
}

func TestExtractTarMalformed(t *testing.T) {
	whole := tarFile(t, file("a", strings.Repeat("x", 2000)))
	for name, content := range map[string][]byte{
		"cut in the contents": whole[:1000],
		"cut in a header":     whole[:300],
		"no tar":              bytes.Repeat([]byte("garbage!"), 200),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ExtractTar(t.Context(), bytes.NewReader(content), openRoot(t, t.TempDir()), Options{Name: "cut.tar"})
			if !errors.Is(err, ErrMalformed) || !strings.HasPrefix(err.Error(), "cut.tar: ") {
				t.Errorf("error is %v, want ErrMalformed of cut.tar", err)
			}
		})
	}
}

func TestExtractTarStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := ExtractTar(ctx, bytes.NewReader(tarFile(t, file("a", "x"))), openRoot(t, t.TempDir()), Options{Name: "a.tar"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
}

func extract(t *testing.T, dst string, o Options, entries ...tar.Header) []Entry {
	t.Helper()
	o.Name = "good.tar"
	got, err := ExtractTar(t.Context(), bytes.NewReader(tarFile(t, entries...)), openRoot(t, dst), o)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// manifestPaths returns the manifest's lines by path, without digests.
func manifestLines(t *testing.T, dir string) map[string]string {
	t.Helper()
	lines := map[string]string{}
	for line := range strings.Lines(manifestOf(t, dir)) {
		path, rest, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok && path != "#forge-manifest" {
			rest, _, _ = strings.Cut(rest, " sha256=")
			lines[path] = rest
		}
	}
	return lines
}

func TestExtractTarKeepsWhatMatters(t *testing.T) {
	dst := t.TempDir()
	capability := "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	ping := file("usr/bin/ping", "ping")
	ping.Mode, ping.Gid = 0o755, 7
	ping.PAXRecords["SCHILY.xattr.security.capability"] = capability
	ping.PAXRecords["SCHILY.xattr.security.selinux"] = "of the host that packed it"
	su := file("usr/bin/su", "su")
	su.Mode, su.Uid, su.ModTime = 0o4755, 3, headerTime.Add(time.Nanosecond)
	su.Format = tar.FormatPAX
	mail := directory("var/mail/", 0o2775)
	mail.Gid = 8
	got := extract(t, dst, Options{Xattrs: true, AllowDevices: true, AllowFIFOs: true},
		directory("./", 0o750), directory("./usr/", 0o555), ping, su, hardlink("usr/bin/sudo", "./usr/bin/su"),
		symlink("etc/dangling", "/no/where"), mail, file("var/mail/root", ""),
		tar.Header{Name: "null", Typeflag: tar.TypeChar, Mode: 0o666, Devmajor: 1, Devminor: 3, ModTime: headerTime},
		tar.Header{Name: "pipe", Typeflag: tar.TypeFifo, Mode: 0o622, ModTime: headerTime},
	)
	want := map[string]string{
		".":              "type=dir mode=0750 uid=0 gid=0 time=1600000000.000000000",
		"./usr":          "type=dir mode=0555 uid=0 gid=0 time=1600000000.000000000",
		"./usr/bin":      "type=dir mode=0755 uid=0 gid=7 time=1600000000.000000000",
		"./usr/bin/ping": "type=file mode=0755 uid=0 gid=7 time=1600000000.000000000 size=4",
		"./usr/bin/su":   "type=file mode=4755 uid=3 gid=0 time=1600000000.000000001 size=2",
		"./usr/bin/sudo": "type=file mode=4755 uid=3 gid=0 time=1600000000.000000001 hardlink=./usr/bin/su",
		"./etc":          "type=dir mode=0755 uid=0 gid=0 time=1600000000.000000000",
		"./etc/dangling": "type=link mode=0777 uid=0 gid=0 time=1600000000.000000000 link=/no/where",
		"./var":          "type=dir mode=0755 uid=0 gid=8 time=1600000000.000000000",
		"./var/mail":     "type=dir mode=2775 uid=0 gid=8 time=1600000000.000000000",
		// The directory is setgid, the entry says group 0.
		"./var/mail/root": "type=file mode=0644 uid=0 gid=0 time=1600000000.000000000 size=0",
		"./null":          "type=char mode=0666 uid=0 gid=0 time=1600000000.000000000 rdev=1,3",
		"./pipe":          "type=fifo mode=0622 uid=0 gid=0 time=1600000000.000000000",
	}
	if diff := cmp.Diff(want, manifestLines(t, dst)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	value := make([]byte, 64)
	n, err := unix.Getxattr(filepath.Join(dst, "usr/bin/ping"), "security.capability", value)
	if err != nil || string(value[:n]) != capability {
		t.Errorf("security.capability is %q, error %v", value[:max(n, 0)], err)
	}
	link := got[4]
	if link.Name != "usr/bin/sudo" || link.Type != tar.TypeLink || link.Target != "usr/bin/su" {
		t.Errorf("entry of the hard link is %+v", link)
	}
}

func TestExtractTarPlainModes(t *testing.T) {
	dst := t.TempDir()
	start, su := file("bin/start", "x"), file("bin/su", "x")
	start.Mode, su.Mode = 0o775, 0o4710
	private := file("private", "x")
	private.Mode = 0o600
	extract(t, dst, Options{PlainModes: true}, directory("bin/", 0o2770), start, su, private)
	for name, want := range map[string]os.FileMode{"bin": os.ModeDir | 0o755, "bin/start": 0o755, "bin/su": 0o755, "private": 0o644} {
		if info, err := os.Stat(filepath.Join(dst, name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}

func TestExtractTarSelects(t *testing.T) {
	dst := t.TempDir()
	got := extract(t, dst, Options{
		Include: []string{"top/conf/**", "top/*.jar"}, Exclude: []string{"**/*.tmp", "top/z.jar"}, Strip: 1, Owner: FixedOwner(4, 5),
		Rename: func(name string) (string, bool) { return "opt/" + name, !strings.HasSuffix(name, ".bak") },
	},
		directory("top", 0o755), directory("top/conf", 0o750), file("top/conf/a/b.xml", "b"), file("top/conf/a.bak", ""),
		file("top/x.jar", "x"), hardlink("top/conf/x.jar", "top/x.jar"), file("top/lib/y.jar", "y"), file("top/z.jar", "z"),
		file("top/conf/a/c.tmp", "c"), file("README", ""))
	var names []string
	for _, e := range got {
		names = append(names, e.Name)
		if e.UID != 4 || e.GID != 5 {
			t.Errorf("%s belongs to %d:%d", e.Name, e.UID, e.GID)
		}
	}
	if diff := cmp.Diff([]string{"opt/conf/a/b.xml", "opt/x.jar", "opt/conf/x.jar"}, names); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// TestExtractTarMerges does what dpkg does on a system with a merged /usr.
func TestExtractTarMerges(t *testing.T) {
	outside, dst := sandboxDir(t)
	extract(t, dst, Options{}, directory("usr/bin", 0o700), directory("run/lock", 0o755), directory("usr/share/doc", 0o755),
		symlink("bin", "usr/bin"), symlink("var/run", "/run"), symlink("up", "../../../run"), file("usr/bin/sh", "old"), symlink("usr/bin/rsh", "sh"))
	extract(t, dst, Options{Merge: true}, directory("bin", 0o755), file("bin/sh", "new"), file("bin/rsh", "rsh"), hardlink("bin/dash", "bin/sh"),
		file("var/run/lock/x", "x"), file("up/y", "y"), symlink("usr/share/doc", "elsewhere"), directory("usr/bin", 0o755))
	want := map[string]string{"usr/bin/sh": "new", "usr/bin/rsh": "rsh", "usr/bin/dash": "new", "run/lock/x": "x", "run/y": "y"}
	for name, content := range want {
		if got, err := os.ReadFile(filepath.Join(dst, name)); string(got) != content || err != nil {
			t.Errorf("%s holds %q, want %q (%v)", name, got, content, err)
		}
	}
	lines := manifestLines(t, dst)
	if got := lines["./usr/bin"]; !strings.HasPrefix(got, "type=dir mode=0700") {
		t.Errorf("usr/bin changed: %s", got)
	}
	if got := lines["./usr/share/doc"]; !strings.HasPrefix(got, "type=dir mode=0755") {
		t.Errorf("a link replaced a directory: %s", got)
	}
	if got := lines["./bin"]; !strings.HasSuffix(got, "link=usr/bin") {
		t.Errorf("a directory replaced a link: %s", got)
	}
	checkOutside(t, outside)
}

// TestExtractTarSideBySide unpacks many archives into the same directories.
func TestExtractTarSideBySide(t *testing.T) {
	dst := t.TempDir()
	root := openRoot(t, dst)
	var wait sync.WaitGroup
	for i := range 16 {
		name := string(rune('a' + i))
		content := tarFile(t, directory("usr", 0o755), directory("usr/share", 0o755), directory("usr/share/doc", 0o755),
			directory("usr/share/doc/"+name, 0o755), file("usr/share/doc/"+name+"/copyright", name), file("usr/lib/x/y/"+name, name))
		wait.Go(func() {
			if _, err := ExtractTar(t.Context(), bytes.NewReader(content), root, Options{Name: name, Merge: true}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	files := 0
	for path, line := range manifestLines(t, dst) {
		switch {
		case strings.HasPrefix(line, "type=file"):
			files++
		case !strings.HasPrefix(line, "type=dir mode=0755 uid=0 gid=0") && path != ".":
			t.Errorf("%s: %s", path, line)
		}
	}
	if files != 32 {
		t.Errorf("%d files, want 32", files)
	}
}

// TestExtractTarManyDirs goes beyond the number of directories kept open.
func TestExtractTarManyDirs(t *testing.T) {
	var entries []tar.Header
	for i := range 3 * maxOpenDirs {
		name := "d" + strings.Repeat("x", i%200) + "/" + string(rune('a'+i%26))
		entries = append(entries, directory(name, 0o755))
	}
	deep := strings.Repeat("d/", 62) + "f"
	entries = append(entries, file(deep, "deep"), hardlink("f", deep))
	dst := t.TempDir()
	before := openDescriptors(t)
	extract(t, dst, Options{}, entries...)
	if after := openDescriptors(t); after > before+2 {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
	if got, err := os.ReadFile(filepath.Join(dst, "f")); string(got) != "deep" || err != nil {
		t.Errorf("f holds %q (%v)", got, err)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

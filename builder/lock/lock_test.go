package lock_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/lock"
)

var update = flag.Bool("update", false, "write the golden files")

func digest(c string) string { return strings.Repeat(c, 64) }

func sample() *lock.Lock {
	date := time.Date(2025, 5, 17, 9, 6, 14, 0, time.UTC)
	return &lock.Lock{
		Format: lock.Format, Date: date, Stack: "bookworm",
		Suites: []lock.Suite{
			{Archive: "debian", Name: "bookworm", Codename: "bookworm", Version: "12.11", Date: date, SHA256: digest("1")},
			{Archive: "debian-security", Name: "bookworm-security", Date: date, SHA256: digest("2")},
		},
		Artifacts: []lock.Artifact{
			{Name: "hadoop/hadoop-mesos", Kind: "maven-build", File: "hadoop-mesos-0.1.0.jar", Size: 7, SHA256: digest("9"), Purl: "pkg:generic/hadoop-mesos@" + digest("7")[:40]},
			{Name: "mesos/deb", Kind: "file", File: "mesos_1.11.0-1_amd64.deb", Size: 5, SHA256: digest("b")},
			{
				Name: "hdfs/hadoop-core", Kind: "maven", Version: "1.2.1", File: "hadoop-core-1.2.1.jar", Size: 4203713, SHA256: digest("a"),
				Purl: "pkg:maven/org.apache.hadoop/hadoop-core@1.2.1", Home: "https://hadoop.example.invalid/#a: \"b\"",
			},
		},
		Builds: map[string][]lock.BuildFile{
			"hadoop-mesos": {
				{Path: "org/apache/mesos/mesos/0.19.0/mesos-0.19.0.pom", Size: 3, SHA256: digest("3")},
				{Path: "org/apache/mesos/mesos/0.19.0/mesos-0.19.0.jar", Size: 4, SHA256: digest("4")},
			},
		},
		Debs: map[string][]lock.Deb{
			"role/slave": {},
			"base": {
				{Name: "libc6", Version: "2.36-9+deb12u10", Arch: "amd64", Size: 1, SHA256: digest("c"), Filename: "pool/main/g/glibc/libc6_2.36-9+deb12u10_amd64.deb", Archive: "debian", Auto: true},
				{Name: "base-files", Version: "1:12.4", Arch: "all", Size: 1e10, SHA256: digest("d"), Filename: "pool/main/b/base-files/base-files_12.4_all.deb"},
			},
		},
		Packages: []lock.Package{
			{Name: "forge-node", Version: "2", Arch: "amd64", SHA256: digest("f")},
			{Name: "forge-node", Version: "1", Arch: "amd64", SHA256: digest("e")},
		},
	}
}

func TestGolden(t *testing.T) {
	name := filepath.Join(t.TempDir(), "forge.lock")
	if err := sample().Write(name); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "forge.lock")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Error(d)
	}
}

func TestRoundTrip(t *testing.T) {
	name := filepath.Join(t.TempDir(), "forge.lock")
	want := sample()
	if err := want.Write(name); err != nil {
		t.Fatal(err)
	}
	got, err := lock.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" { // Write has sorted want
		t.Error(d)
	}
	if d := lock.Diff(want, got); d != nil {
		t.Error(d)
	}
	a, ok := got.Artifact("mesos/deb")
	if !ok || a.SHA256 != digest("b") {
		t.Errorf("artifact: %+v", a)
	}
	if _, ok := got.Artifact("mesos"); ok {
		t.Error("found what is not there")
	}
	if _, err := lock.Read(name + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	b, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	tests := []struct{ name, old, new, want string }{
		{"unknown key", "format: 1\n", "format: 1\nformmat: 1\n", "forge.lock:4:1: unknown field \"formmat\""},
		{"unknown key in entry", "kind: maven", "knd: maven", "unknown field \"knd\""},
		{"duplicate key", "stack: bookworm\n", "stack: bookworm\nstack: x\n", "forge.lock:6:1: "},
		{"wrong type", "size: 4203713", "size: big", "forge.lock:11:96: cannot unmarshal"},
		{"format", "format: 1", "format: 2", "forge.lock:3:9: format 2 is not known"},
		{"date", "date: 2025-05-17T09:06:14Z\nstack", "date: someday\nstack", "forge.lock:4:7: "},
		{"digest", digest("c"), "abc", "forge.lock:19:7: libc6: sha256 \"abc\""},
		{"upper case digest", digest("c"), digest("C"), "libc6: sha256"},
		{"twice", "base-files, version", "libc6, version", ""},
		{"escape", "pool/main/g/glibc/", "../", "is not a path below an archive"},
		{"absolute", "pool/main/g/glibc/", "/", "is not a path below an archive"},
		{"file with folder", "file: hadoop-core", "file: x/hadoop-core", "is not a base name"},
		{"negative", "size: 4203713", "size: -1", "size -1"},
		{"anchor", "stack: bookworm", "stack: &a bookworm", "forge.lock:5:8: anchors"},
		{"deep", "stack: bookworm", "stack: " + strings.Repeat("[", 1000), "nested deeper"},
		{"two documents", "stack: bookworm", "stack: bookworm\n---\na: b", "one YAML document"},
		{"no YAML", "stack: bookworm", "stack: [", "forge.lock:"},
		{"empty", good, "", "want one YAML document"},
		{"build of nothing", "  hadoop-mesos:", "  hadoop-x:", "\"hadoop-x\" is not the name of an artifact in the lock"},
		{"file of a build", "path: org/apache/mesos/mesos/0.19.0/mesos-0.19.0.jar", "path: org/../../mesos.jar", "forge.lock:15:7: \"org/../../mesos.jar\" is not a path below a repository"},
		{"file of a build twice", "mesos-0.19.0.pom", "mesos-0.19.0.jar", "mesos-0.19.0.jar stands there twice"},
		{"solve name", "role/slave", "../x", "is not the name of a solve"},
		{"newline in version", `version: "1.2.1"`, `version: "1\n2"`, "plain text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(good, tt.old, tt.new, 1)
			if text == good {
				t.Fatal("nothing was changed")
			}
			_, err := lock.Decode("forge.lock", []byte(text))
			if tt.name == "twice" { // arch differs: allowed; same arch: not
				if err != nil {
					t.Fatal(err)
				}
				_, err = lock.Decode("forge.lock", []byte(strings.Replace(text, "arch: all", "arch: amd64", 1)))
				tt.want = "forge.lock:20:7: libc6:amd64 stands there twice"
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			var e *lock.Error
			if !errors.As(err, &e) || e.File != "forge.lock" {
				t.Errorf("%T", err)
			}
		})
	}
}

func TestWriteRefuses(t *testing.T) {
	l := sample()
	l.Debs["base"][0].SHA256 = ""
	name := filepath.Join(t.TempDir(), "forge.lock")
	if err := l.Write(name); err == nil || !strings.Contains(err.Error(), "debs.base[0]: libc6: sha256") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("a file is there: %v", err)
	}
}

func TestDiff(t *testing.T) {
	a, b := sample(), sample()
	b.Date = b.Date.Add(time.Hour)
	b.Suites[0].SHA256 = digest("9")
	b.Artifacts = b.Artifacts[:2]
	b.Builds["hadoop-mesos"] = b.Builds["hadoop-mesos"][:1]
	slices.Reverse(b.Debs["base"])
	b.Debs["boot"] = []lock.Deb{{Name: "grub", Version: "2", Arch: "amd64", SHA256: digest("8")}}
	b.Packages[1].SHA256 = digest("7")
	want := []string{
		"~ date: 2025-05-17T09:06:14Z -> 2025-05-17T10:06:14Z",
		"~ suite debian/bookworm: 12.11 2025-05-17T09:06:14Z 111111111111 -> 12.11 2025-05-17T09:06:14Z 999999999999",
		"- artifact hdfs/hadoop-core maven 1.2.1 hadoop-core-1.2.1.jar aaaaaaaaaaaa",
		"~ build hadoop-mesos: 2 files d68ab8e1f9e8 -> 1 files 1719c38402e3",
		"~ debs base: order of unpacking",
		"+ deb boot: grub:amd64 2 888888888888",
		"~ package forge-node 1 amd64: eeeeeeeeeeee -> 777777777777",
	}
	if got := lock.Diff(a, b); !reflect.DeepEqual(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestConflict(t *testing.T) {
	l := sample()
	if err := l.Conflict(lock.Package{Name: "forge-node", Version: "3", Arch: "amd64", SHA256: digest("0")}); err != nil {
		t.Errorf("new version: %v", err)
	}
	if err := l.Conflict(lock.Package{Name: "forge-node", Version: "2", Arch: "amd64", SHA256: digest("f")}); err != nil {
		t.Errorf("same bytes: %v", err)
	}
	err := l.Conflict(lock.Package{Name: "forge-node", Version: "2", Arch: "amd64", SHA256: digest("0")})
	var c *lock.ConflictError
	if !errors.As(err, &c) || !strings.Contains(err.Error(), "forge-node 2 differs") || !strings.Contains(err.Error(), "raise the component's revision") {
		t.Errorf("other bytes: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	b, err := sample().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("format: 1\ndate: 2025-05-17T09:06:14Z\nstack: a\n"))
	f.Add([]byte("format: 1\nstack: [{]\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := lock.Decode("forge.lock", b)
		if err != nil {
			return
		}
		// What is taken can be written, and is then read as the same.
		out, err := l.Encode()
		if err != nil {
			t.Fatalf("taken but not written: %v", err)
		}
		again, err := lock.Decode("forge.lock", out)
		if err != nil {
			t.Fatalf("written but not taken: %v\n%s", err, out)
		}
		if d := lock.Diff(l, again); d != nil {
			t.Fatalf("%v\n%s", d, out)
		}
		if twice, err := again.Encode(); err != nil || string(twice) != string(out) {
			t.Fatalf("not stable: %v\n%s\n%s", err, out, twice)
		}
	})
}

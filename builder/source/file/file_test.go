package file_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/source/file"
	"github.com/mesos-forge/forge/builder/store"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func digest(text string) store.Digest { return store.DigestOf([]byte(text)) }

func TestFetch(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "vendor")
	write(t, filepath.Join(top, "outside"), "outside")
	write(t, filepath.Join(dir, "mesos_1.11.0-1_amd64.deb"), "mesos")
	write(t, filepath.Join(dir, "jars/hadoop-core-1.2.1.jar"), "hadoop")
	write(t, filepath.Join(dir, "two/a_1.deb"), "one")
	write(t, filepath.Join(dir, "two/a_2.deb"), "two")
	write(t, filepath.Join(dir, "x/same.jar"), "same x")
	write(t, filepath.Join(dir, "y/same.jar"), "same y")
	for link, to := range map[string]string{"inside": "jars/hadoop-core-1.2.1.jar", "escape": "../outside", "absolute": filepath.Join(top, "outside"), "dangling": "nothing"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name     string
		artifact source.Artifact
		want     string // content
		file     string
		err      []string
		notFound bool
	}{
		{name: "name", artifact: source.Artifact{File: "mesos_1.11.0-1_amd64.deb"}, want: "mesos", file: "mesos_1.11.0-1_amd64.deb"},
		{name: "name in a subfolder", artifact: source.Artifact{File: "hadoop-core-1.2.1.jar", Digest: digest("hadoop"), Size: 6}, want: "hadoop", file: "hadoop-core-1.2.1.jar"},
		{name: "glob", artifact: source.Artifact{Pattern: "mesos_*_amd64.deb"}, want: "mesos", file: "mesos_1.11.0-1_amd64.deb"},
		{name: "digest", artifact: source.Artifact{File: "other-name.jar", Digest: digest("hadoop")}, want: "hadoop", file: "hadoop-core-1.2.1.jar"},
		{name: "digest and size", artifact: source.Artifact{File: "other-name.jar", Digest: digest("two"), Size: 3}, want: "two", file: "a_2.deb"},
		{name: "same name, digest decides", artifact: source.Artifact{File: "same.jar", Digest: digest("same y")}, want: "same y", file: "same.jar"},
		{name: "link inside", artifact: source.Artifact{File: "inside"}, want: "hadoop", file: "inside"},
		{name: "absent", artifact: source.Artifact{File: "marathon.deb", Digest: digest("marathon")}, notFound: true, err: []string{"folder " + dir}},
		{name: "glob without match", artifact: source.Artifact{Pattern: "marathon_*.deb"}, notFound: true},
		{name: "outside by digest", artifact: source.Artifact{File: "z", Digest: digest("outside")}, notFound: true},
		{name: "pipe", artifact: source.Artifact{File: "pipe"}, notFound: true},
		{name: "glob matches two", artifact: source.Artifact{Pattern: "a_*.deb"}, err: []string{"two/a_1.deb, two/a_2.deb", "leave one"}},
		{name: "glob matches two, digest decides", artifact: source.Artifact{Pattern: "a_*.deb", Digest: digest("one")}, want: "one", file: "a_1.deb"},
		{name: "bad glob", artifact: source.Artifact{Pattern: "[x"}, err: []string{`glob "[x"`}},
		{name: "other bytes", artifact: source.Artifact{File: "mesos_1.11.0-1_amd64.deb", Digest: digest("real")}, err: []string{"expected " + string(digest("real")), "got " + string(digest("mesos")), "from " + dir}},
		{name: "cut short", artifact: source.Artifact{File: "mesos_1.11.0-1_amd64.deb", Digest: digest("real"), Size: 9}, err: []string{"truncated: 5 of 9 bytes"}},
		{name: "too long", artifact: source.Artifact{File: "mesos_1.11.0-1_amd64.deb", Digest: digest("real"), Size: 4}, err: []string{"larger than the 4 bytes"}},
		{name: "not a known digest", artifact: source.Artifact{Pattern: "mesos_*", Known: []store.Digest{digest("x")}}, err: []string{"is not among those known", "sha256 list"}},
		{name: "link out", artifact: source.Artifact{File: "escape"}, err: []string{"escape: path escapes"}},
		{name: "absolute link out", artifact: source.Artifact{File: "absolute"}, err: []string{"absolute: path escapes"}},
		{name: "link to nothing", artifact: source.Artifact{File: "dangling"}, err: []string{"dangling: no such file"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := file.Open(dir)
			defer f.Close()
			blobs, err := store.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer blobs.Close()
			tt.artifact.Name = "a/b"
			r, err := f.Fetch(context.Background(), tt.artifact, blobs)
			if tt.want != "" {
				if err != nil {
					t.Fatal(err)
				}
				path, err := blobs.BlobPath(r.Digest)
				if err != nil || r.Digest != digest(tt.want) || r.File != tt.file || r.Size != int64(len(tt.want)) {
					t.Errorf("%+v, %v", r, err)
				}
				if b, err := os.ReadFile(path); err != nil || string(b) != tt.want {
					t.Errorf("%q, %v", b, err)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			if errors.Is(err, source.ErrNotFound) != tt.notFound {
				t.Errorf("not found: %v", err)
			}
			for _, part := range tt.err {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error lacks %q: %v", part, err)
				}
			}
		})
	}
}

func TestNoFolder(t *testing.T) {
	f := file.Open(filepath.Join(t.TempDir(), "none"))
	defer f.Close()
	if _, err := f.Fetch(context.Background(), source.Artifact{File: "x", Digest: digest("x")}, nil); !errors.Is(err, source.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

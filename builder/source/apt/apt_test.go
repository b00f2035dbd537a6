package apt_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/source/apt"
	"github.com/mesos-forge/forge/builder/store"
)

// wantError fails unless err's text holds every one of parts.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error lacks %q:\n%v", p, err)
		}
	}
}

func names(pkgs []apt.Package) []string {
	var out []string
	for _, p := range pkgs {
		out = append(out, p.String())
	}
	return out
}

func TestUpdateDoesNotDependOnTheMirror(t *testing.T) {
	c := client(t)
	r := newRepo(t, pkg{name: "hello", version: "1.0"})
	one := r.snapshot(t, c)
	a := r.archive()
	a.URI = "file:" + r.dir
	two, err := c.Update(context.Background(), []apt.Archive{a}, "amd64", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	if one.Digest() != two.Digest() {
		t.Errorf("digests differ: %s, %s", one.Digest(), two.Digest())
	}
	content := func(s *apt.Snapshot) map[string]string {
		m := map[string]string{}
		err := filepath.WalkDir(s.Dir(), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				rel, _ := filepath.Rel(s.Dir(), path)
				m[rel] = string(read(t, path))
			} else if err == nil && !d.IsDir() {
				t.Errorf("%s is neither file nor folder", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	a1, a2 := content(one), content(two)
	if len(a1) != 3 {
		t.Errorf("want snapshot.json, InRelease and Packages; got %d files", len(a1))
	}
	for name, text := range a1 {
		if a2[name] != text {
			t.Errorf("%s differs between mirrors", name)
		}
		if strings.Contains(name+text, "127.0.0.1") {
			t.Errorf("%s names the mirror", name)
		}
	}
}

func TestUpdateRefuses(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(t *testing.T, r *repo)
		want  []string
	}{
		{"another key", func(t *testing.T, r *repo) { r.writeKeyring(t, newKey(t)) }, []string{"NO_PUBKEY", "apt.keyring"}},
		{"no signature", func(t *testing.T, r *repo) {
			name := filepath.Join(r.dir, "dists/test/InRelease")
			text := string(read(t, name))
			_, text, _ = strings.Cut(text, "\n\n")
			text, _, _ = strings.Cut(text, "-----BEGIN")
			write(t, filepath.Join(r.dir, "dists/test/Release"), []byte(text))
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}, []string{"is not signed", "apt.keyring"}},
		{"changed text", func(t *testing.T, r *repo) {
			name := filepath.Join(r.dir, "dists/test/InRelease")
			write(t, name, bytes.Replace(read(t, name), []byte("Label: Debian"), []byte("Label: Dubian"), 1))
		}, []string{"BADSIG"}},
		{"changed index", func(t *testing.T, r *repo) {
			name := filepath.Join(r.dir, "dists/test/main/binary-amd64/Packages")
			write(t, name, bytes.Replace(read(t, name), []byte("Version: 1.0"), []byte("Version: 9.0"), 1))
		}, []string{"Hash Sum mismatch"}},
		{"no such suite", func(t *testing.T, r *repo) {
			if err := os.RemoveAll(filepath.Join(r.dir, "dists")); err != nil {
				t.Fatal(err)
			}
		}, []string{"does not have a Release file"}},
		{"absent index", func(t *testing.T, r *repo) {
			r.override["dists/test/main/binary-amd64/Packages"] = http.NotFound
		}, []string{"404"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRepo(t, pkg{name: "hello", version: "1.0"})
			tt.spoil(t, r)
			// What the user allows for his own machine does not count here.
			c := client(t, "Acquire::AllowInsecureRepositories \"true\";\nAPT::Get::AllowUnauthenticated \"true\";\n")
			_, err := c.Update(context.Background(), []apt.Archive{r.archive()}, "amd64", filepath.Join(t.TempDir(), "s"))
			wantError(t, err, append(tt.want, "fetch the indexes of test")...)
			var e *apt.Error
			if !errors.As(err, &e) {
				t.Errorf("%T, want *apt.Error", err)
			}
		})
	}
}

func TestUpdateChecksArchives(t *testing.T) {
	good := apt.Archive{Name: "debian", URI: "http://archive.invalid/debian", Suites: []string{"test"}, Components: []string{"main"}, Keyring: "/k.gpg"}
	for want, change := range map[string]func(a *apt.Archive){
		"is not a URI":       func(a *apt.Archive) { a.URI = "http://x/ y" },
		"not the name":       func(a *apt.Archive) { a.Suites = []string{"a b"} },
		"not an absolute":    func(a *apt.Archive) { a.Keyring = "k.gpg" },
		"no suite":           func(a *apt.Archive) { a.Suites = nil },
		"used twice or hold": func(a *apt.Archive) { a.Name = "a/b" },
	} {
		a := good
		change(&a)
		_, err := client(t).Update(context.Background(), []apt.Archive{a}, "amd64", t.TempDir())
		wantError(t, err, want)
	}
}

func TestSolve(t *testing.T) {
	r := newRepo(t,
		pkg{name: "core", version: "1:2.0+b~1", extra: "Essential: yes\nPre-Depends: libcore\nPriority: required\nSection: admin\n"},
		pkg{name: "libcore", version: "2.0", extra: "Source: core (1:2.0)\nMulti-Arch: same\nHomepage: https://core.example.invalid\n"},
		pkg{name: "hello", version: "1.0", extra: "Depends: greeting\nRecommends: extra\n"},
		pkg{name: "greet-a", version: "1.0", extra: "Provides: greeting\n"},
		pkg{name: "extra", version: "1.0"},
		pkg{name: "broken", version: "1.0", extra: "Depends: hello (>= 2)\n"},
		pkg{name: "rival", version: "1.0", extra: "Conflicts: hello\n"},
		pkg{name: "hello-next", version: "2.0", extra: "Breaks: libcore (<< 3)\n"},
	)
	c := client(t)
	s := r.snapshot(t, c)
	local := makeDeb(t, pkg{name: "forge-role-x", version: "1.0-1", extra: "Depends: forge-thing, hello\n"})
	thing := makeDeb(t, pkg{name: "forge-thing", version: "3", extra: "Depends: extra\n"})

	tests := []struct {
		name string
		req  apt.Request
		want []string // in order
		auto []string
		err  []string
	}{
		{"nothing", apt.Request{}, nil, nil, nil},
		{"essential", apt.Request{Essential: true}, []string{"libcore=2.0", "core=1:2.0+b~1"}, []string{"libcore"}, nil},
		{"by name", apt.Request{Install: []string{"hello"}}, []string{"greet-a=1.0", "hello=1.0"}, []string{"greet-a"}, nil},
		{"with version", apt.Request{Install: []string{"extra=1.0"}}, []string{"extra=1.0"}, nil, nil},
		{"virtual", apt.Request{Install: []string{"greeting"}}, []string{"greet-a=1.0"}, nil, nil},
		{
			"local", apt.Request{LocalDebs: []string{local, thing}},
			[]string{"extra=1.0", "greet-a=1.0", "hello=1.0", "forge-role-x=1.0-1", "forge-thing=3"},
			[]string{"extra", "greet-a", "hello"}, nil,
		},
		{"misspelt", apt.Request{Install: []string{"helo"}}, nil, nil, []string{"Unable to locate package helo", "Did you mean hello"}},
		{"unknown", apt.Request{Install: []string{"zookeeper"}}, nil, nil, []string{"Unable to locate package zookeeper", "No package of test"}},
		{"version", apt.Request{Install: []string{"hello=7"}}, nil, nil, []string{"Version '7' for 'hello' was not found", "The indexes have hello 1.0"}},
		{"unmet", apt.Request{Name: "role slave", Install: []string{"broken"}}, nil, nil, []string{"solve role slave", "broken : Depends: hello (>= 2)"}},
		{"conflict", apt.Request{Install: []string{"rival", "hello"}}, nil, nil, []string{"rival : Conflicts: hello"}},
		{"local unmet", apt.Request{LocalDebs: []string{local}}, nil, nil, []string{"forge-role-x : Depends: forge-thing"}},
		{"pattern", apt.Request{Install: []string{"?essential"}}, nil, nil, []string{"is not a package name"}},
		{"removal", apt.Request{Install: []string{"hello-"}}, nil, nil, []string{"is not a package name"}},
		{"option", apt.Request{Install: []string{"-oDir=/"}}, nil, nil, []string{"is not a package name"}},
		{"twice", apt.Request{LocalDebs: []string{local, local}}, nil, nil, []string{"are both package forge-role-x"}},
		{"no file", apt.Request{LocalDebs: []string{"/nonexistent.deb"}}, nil, nil, []string{"/nonexistent.deb"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := c.Solve(context.Background(), s, tt.req)
			if tt.err != nil {
				wantError(t, err, tt.err...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(names(got), tt.want) {
				t.Errorf("got %v, want %v", names(got), tt.want)
			}
			var auto []string
			for _, p := range got {
				if p.Auto {
					auto = append(auto, p.Name)
				}
			}
			if !slices.Equal(auto, tt.auto) {
				t.Errorf("auto: got %v, want %v", auto, tt.auto)
			}
		})
	}

	t.Run("fields", func(t *testing.T) {
		got, err := c.Solve(context.Background(), s, apt.Request{Essential: true})
		if err != nil {
			t.Fatal(err)
		}
		b := read(t, filepath.Join(r.dir, "pool/main/libcore_2.0_amd64.deb"))
		want := apt.Package{
			Name: "libcore", Version: "2.0", Architecture: "amd64", Source: "core", SourceVersion: "1:2.0",
			Digest: store.DigestOf(b), Size: int64(len(b)), Filename: "pool/main/libcore_2.0_amd64.deb", Archive: "debian",
			MultiArch: "same", Homepage: "https://core.example.invalid", Auto: true,
		}
		if got[0] != want {
			t.Errorf("got  %+v\nwant %+v", got[0], want)
		}
		if p := got[1].Purl(); p != "pkg:deb/debian/core@1%3A2.0%2Bb~1?arch=amd64" {
			t.Errorf("purl %s", p)
		}
	})

	t.Run("on top", func(t *testing.T) {
		base, err := c.Solve(context.Background(), s, apt.Request{Install: []string{"hello", "libcore"}, LocalDebs: []string{thing}})
		if err != nil {
			t.Fatal(err)
		}
		status := filepath.Join(t.TempDir(), "status")
		var text bytes.Buffer
		if err := c.WriteStatus(context.Background(), s, base, &text); err != nil {
			t.Fatal(err)
		}
		write(t, status, text.Bytes())
		got, err := c.Solve(context.Background(), s, apt.Request{LocalDebs: []string{local, thing}, Status: status})
		if err != nil || !slices.Equal(names(got), []string{"forge-role-x=1.0-1"}) {
			t.Errorf("got %v, %v", names(got), err)
		}
		_, err = c.Solve(context.Background(), s, apt.Request{Name: "role x", Install: []string{"rival"}, Status: status})
		wantError(t, err, "solve role x", "remove", "hello")
	})
}

package main_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/store"
)

// expectRefused builds and expects an error that says all of want, and that nothing half-made is left.
func (f *forge) expectRefused(want ...string) {
	f.t.Helper()
	out, errs, code := f.run("build", "--role", "slave", "--quiet")
	if code != 1 || out != "" || !strings.HasPrefix(errs, "forge: ") {
		f.t.Errorf("exit status %d, output %q, message %q; want status 1 and a message", code, out, errs)
	}
	for _, w := range want {
		if !strings.Contains(errs, w) {
			f.t.Errorf("message %q; want it to say %q", errs, w)
		}
	}
	f.expectNoOutput()
	f.expectTidy()
	f.expectWholeBlobs()
}

func TestMisspeltKey(t *testing.T) {
	f := forgeWithout(t)
	f.edit("recipes/bookworm/roles/slave.yaml", `(?m)^services:`, "sevices:")
	f.expectRefused("recipes/bookworm/roles/slave.yaml:9:1: ", `"sevices"`, `did you mean "services"?`)
}

// fromOutside makes the component hadoop of one file that is fetched from url.
func (f *forge) fromOutside(url, sha256, operation string) {
	f.t.Helper()
	f.flags = nil // offline nobody would be asked
	const name = "recipes/bookworm/components/hadoop.yaml"
	b, err := os.ReadFile(filepath.Join(f.checkout, name))
	if err != nil {
		f.t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(b), "\nartifacts:\n")
	_, tail, ok := strings.Cut(rest, "\ngroups:\n")
	if !ok {
		f.t.Fatalf("%s does not look as expected", name)
	}
	text := fmt.Sprintf("%s\nartifacts:\n  given: {sources: [{http: %q}], sha256: [%s]}\n\nlayout:\n  - %s: %s\n    to: /usr/lib/hadoop\n\ngroups:\n%s",
		head, url, sha256, operation, map[string]string{"copy": "[given]", "extract": "given"}[operation], tail)
	if err := os.WriteFile(filepath.Join(f.checkout, name), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// TestBadDownloads serves files that are not what they should be.
func TestBadDownloads(t *testing.T) {
	sharedBuild(t)
	good := tarOf(t, tar.Header{Name: "file", Typeflag: tar.TypeReg, Mode: 0o644})
	digest := store.DigestOf(good).Hex()
	for _, c := range []struct {
		name   string
		serve  http.HandlerFunc
		sha256 string
		want   []string
	}{
		{"other content", serve([]byte("something else")), digest,
			[]string{"step sources/hadoop: hadoop/given (given.tar): digest mismatch: expected sha256:" + digest + ", got " + string(store.DigestOf([]byte("something else"))) + " from http://127.0.0.1:", "/given.tar",
				"fetch it again, or from another place"}},
		{"truncated", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(good)))
			_, _ = w.Write(good[:100])
		}, digest, []string{"step sources/hadoop: hadoop/given (given.tar) from http://127.0.0.1:", "/given.tar: broke off after 100 bytes", "try again later"}},
		{"absent", http.NotFound, digest, []string{"step sources/hadoop: hadoop/given (given.tar): not found; asked folder ", "then http://127.0.0.1:", "; put given.tar into vendor/ or name a mirror that has it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // they wait for servers
			server := httptest.NewServer(c.serve)
			defer server.Close()
			f := forgeWithout(t)
			f.fromOutside(server.URL+"/given.tar", c.sha256, "copy")
			f.expectRefused(c.want...)
			if _, err := os.Lstat(blobPath(f.store, digest)); !os.IsNotExist(err) {
				t.Errorf("there is a blob of what did not come: %v", err)
			}
		})
	}
}

// TestHostileArchives serves archives that reach out of the folder that they are unpacked in.
func TestHostileArchives(t *testing.T) {
	sharedBuild(t)
	for _, c := range []struct {
		name  string
		entry tar.Header
		want  string
	}{
		{"escape", tar.Header{Name: "../../../escaped", Typeflag: tar.TypeReg, Mode: 0o644}, "escaped"},
		{"device node", tar.Header{Name: "sda", Typeflag: tar.TypeBlock, Devmajor: 8}, "it is a device node"},
		{"hard link out of the tree", tar.Header{Name: "passwd", Typeflag: tar.TypeLink, Linkname: "../../../../../../../../etc/passwd"}, "passwd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			archive := tarOf(t, c.entry)
			server := httptest.NewServer(serve(archive))
			defer server.Close()
			f := forgeWithout(t)
			f.fromOutside(server.URL+"/given.tar", store.DigestOf(archive).Hex(), "extract")
			f.expectRefused("step deb/forge-hadoop: layout, operation 1: given.tar: entry ", c.entry.Name, c.want)
			for _, name := range files(t, f.dir) {
				if base := filepath.Base(name); base == "escaped" || base == "sda" {
					t.Errorf("there is %s", name)
				}
			}
		})
	}
}

// TestNoNetwork builds in a new store on a machine without a network.
func TestNoNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("needs root, and a fifth of a minute")
	}
	f := newForge(t)
	f.wrap = []string{"unshare", "--net", "--"}
	f.expectRefused("step index/", "fetch the indexes of ", "check the network")
}

func serve(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) }
}

func tarOf(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

package main_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAzkabanPages builds the package of Azkaban with what an operator's archive has for the pages, without
// one, and with files that are not it.
func TestAzkabanPages(t *testing.T) {
	t.Parallel()
	testAzkabanPages(t, builtGolden(t))
}

func testAzkabanPages(t *testing.T, f *forge) {
	t.Helper()
	f.out = filepath.Join(f.dir, "pages")
	pages := []tar.Header{{Name: "azkaban-web-2.5.0/web/css/azkaban.css", Mode: 0o644}, {Name: "azkaban-web-2.5.0/lib/azkaban-2.5.0.jar", Mode: 0o644}}
	for _, c := range []struct {
		name    string
		files   map[string][]tar.Header
		version string // of the package; "": it is refused
		says    string
	}{
		{"none", nil, "2.5.0-1", ""},
		{"the web server's", map[string][]tar.Header{"azkaban-web-server-2.5.0.tar.gz": pages}, "2.5.0-1+web", ""},
		{"without pages", map[string][]tar.Header{"azkaban-web-server-2.5.0.tar.gz": pages[1:]}, "", "azkaban-web-server-2.5.0.tar.gz: nothing in it matches */web/**"},
		{"two", map[string][]tar.Header{"azkaban-web-server-2.5.0.tar.gz": pages, "azkaban-solo-server-2.5.0.tar.gz": pages}, "", "azkaban-solo-server-2.5.0.tar.gz, azkaban-web-server-2.5.0.tar.gz; leave the one that is meant"},
		{"another version", map[string][]tar.Header{"azkaban-web-server-2.7.0.tar.gz": pages}, "", "azkaban-web-server-2.7.0.tar.gz is refused: pages of another version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.vendor = t.TempDir()
			for name, entries := range c.files {
				if err := os.WriteFile(filepath.Join(f.vendor, name), gzipped(t, tarOf(t, entries...)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, errs, code := f.run("build", "--role", "master", "--only", "packages", "--quiet")
			if c.version == "" {
				if code != 1 || !strings.Contains(errs, c.says) {
					t.Errorf("exit status %d, want 1: %s; want it to say %q", code, errs, c.says)
				}
				return
			}
			if code != 0 {
				t.Fatalf("exit status %d: %s", code, errs)
			}
			deb := filepath.Join(f.out, "debs", "forge-azkaban_"+c.version+"_all.deb")
			list, err := exec.Command("dpkg-deb", "--contents", deb).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, list)
			}
			if has := bytes.Contains(list, []byte("./usr/lib/azkaban/web/css/azkaban.css\n")); has != (len(c.files) > 0) || bytes.Contains(list, []byte("web/azkaban-2.5.0.jar")) {
				t.Errorf("it has the pages: %v; its files:\n%s", has, list)
			}
		})
	}
}

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

package released_test

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	spdxjson "github.com/spdx/tools-golang/json"
)

// manuals has man render every page, which must say nothing of this machine and its user.
func (r *released) manuals(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(r.trees["amd64"], "man/man1/*.1.gz"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("no manual pages: %v", err)
	}
	for _, page := range pages {
		cmd := exec.Command("man", "--warnings", "--local-file", page)
		cmd.Env = append(os.Environ(), "MANWIDTH=120", "LC_ALL=C.UTF-8", "MANPAGER=cat")
		var messages bytes.Buffer
		cmd.Stderr = &messages
		text, err := cmd.Output()
		if err != nil || messages.Len() > 0 {
			t.Errorf("man %s: %v\n%s", page, err, &messages)
		}
		name := strings.TrimSuffix(filepath.Base(page), ".1.gz")
		for _, want := range []string{strings.ToUpper(name) + "(1)", "NAME\n", "SYNOPSIS\n", "Jan 2026"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("the page of %s lacks %q", name, want)
			}
		}
		if home, err := os.UserHomeDir(); err == nil && strings.Contains(string(text), home+"/") {
			t.Errorf("the page of %s names %s", name, home)
		}
	}
}

// completions lets bash complete with the script of the package, which asks forge itself.
func (r *released) completions(t *testing.T) {
	top := r.trees["amd64"]
	script := `set -e
. completions/forge.bash
complete -p forge
PATH=$PWD/bin:$PATH forge __complete build --stack book`
	out := run(t, top, "bash", "-c", script)
	for _, want := range []string{"__start_forge forge", "bookworm-ha"} {
		if !strings.Contains(out, want) {
			t.Errorf("bash does not know %q:\n%s", want, out)
		}
	}
	for name, want := range map[string]string{"_forge": "#compdef forge", "forge.fish": "complete -c forge"} {
		text, err := os.ReadFile(filepath.Join(top, "completions", name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %q (%v)", name, want, err)
		}
	}
}

// sboms compares them with the files that they describe and with what the Go linker wrote into the programs.
func (r *released) sboms(t *testing.T) {
	for arch := range arches {
		for _, file := range []string{r.archive(arch), r.deb(arch)} {
			f, err := os.Open(file + ".spdx.json")
			if err != nil {
				t.Fatal(err)
			}
			doc, err := spdxjson.Read(f)
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
			digests, purls := map[string]string{}, map[string]bool{}
			for _, p := range doc.Packages {
				for _, sum := range p.PackageChecksums {
					digests[filepath.Base(p.PackageName)] = sum.Value
				}
				for _, ref := range p.PackageExternalReferences {
					purls[ref.Locator] = true
				}
			}
			if got, want := digests[filepath.Base(file)], sha256Of(t, file); got != want {
				t.Errorf("%s.spdx.json: digest %q, the file has %s", file, got, want)
			}
			for _, p := range programs {
				path := filepath.Join(r.trees[arch], p)
				if digests[filepath.Base(p)] != sha256Of(t, path) {
					t.Errorf("%s.spdx.json: another digest of %s", file, p)
				}
				info, err := buildinfo.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range info.Deps {
					if purl := "pkg:golang/" + strings.ToLower(m.Path) + "@" + m.Version; !purls[purl] {
						t.Errorf("%s.spdx.json lacks %s of %s", file, purl, p)
					}
				}
			}
		}
	}
}

// builds makes a package with the release alone, as somebody does who has no sources and no Go: its forge-node is
// the one that the release brings. The stack is a small one, with the recipe of the node's agent alone.
func (r *released) builds(t *testing.T) {
	checkout := filepath.Join(t.TempDir(), "forge")
	run(t, ".", "cp", "-r", r.trees["amd64"], checkout)
	recipes := filepath.Join(checkout, "recipes")
	small := filepath.Join(recipes, "small")
	run(t, recipes, "mkdir", "-p", "small/components", "small/roles")
	run(t, recipes, "cp", "bookworm/components/node.yaml", "small/components/")
	stack, err := os.ReadFile(filepath.Join(recipes, "bookworm/stack.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	role := "name: agent\nsummary: node with the agent alone\nrevision: 1\ncomponents: [node]\nservices: []\npackage: {section: metapackages}\n" +
		"changelog: [{version: \"1\", date: \"2026-01-02\", changes: [\"First version.\"]}]\n"
	for name, text := range map[string]string{"stack.yaml": strings.Replace(string(stack), "name: bookworm", "name: small", 1), "roles/agent.yaml": role} {
		if err := os.WriteFile(filepath.Join(small, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	path := withoutGo(t)
	for _, args := range [][]string{{"lock"}, {"build"}} {
		run(t, checkout, "env", append([]string{"PATH=" + path, "bin/forge", "--stack", "small", "--only", "packages", "--store", checkout + "-store", "--quiet"}, args...)...)
	}
	debs, err := filepath.Glob(filepath.Join(checkout, "out/debs/forge-node_*.deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("packages of the agent: %q, %v", debs, err)
	}
	dir := t.TempDir()
	run(t, dir, "dpkg-deb", "--extract", debs[0], dir)
	if sha256Of(t, filepath.Join(dir, "usr/bin/forge-node")) != sha256Of(t, filepath.Join(checkout, "libexec/forge/forge-node")) {
		t.Error("the package's forge-node is not that of the release")
	}
}

// withoutGo is PATH without the folders that have Go.
func withoutGo(t *testing.T) string {
	t.Helper()
	folders := slices.DeleteFunc(filepath.SplitList(os.Getenv("PATH")), func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "go"))
		return err == nil
	})
	return strings.Join(folders, string(filepath.ListSeparator))
}

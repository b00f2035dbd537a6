package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/store"
)

// Real eggs of Mesos, which are still to be had of this version alone.
const (
	realEgg       = "mesos.scheduler-1.11.0-py2.7-linux-x86_64.egg"
	realEggSHA256 = "4940ebb70894ee004cf8a12b7b66b52a351be1070ec2a4e6f7dae4ec04f8cb61"
)

// pypiFile fetches a file of a project from the index that pip is configured for. $FORGE_TEST_CACHE keeps it.
func pypiFile(t *testing.T, project, name, sha256 string) string {
	t.Helper()
	at := filepath.Join(testCache(t), name)
	if _, err := os.Stat(at); err != nil {
		env := t.TempDir()
		for _, argv := range [][]string{{"python3", "-m", "venv", env}, {filepath.Join(env, "bin/python"), "testdata/fetchegg.py", project, name, testCache(t)}} {
			if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
				missing(t, name+" from PyPI (python3 with venv, and pip's index): "+err.Error()+"\n"+string(out))
			}
		}
	}
	f, err := os.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if d, _, err := store.DigestReader(f); err != nil || d.Hex() != sha256 {
		t.Fatalf("%s has digest %s, %v; want sha256 %s", at, d, err, sha256)
	}
	return at
}

// TestRealEgg packages a real egg with the recipe of cdh5's: beside a package mesos of another version it is
// refused, and both versions are named; beside one of its own it is a package in which Python finds it.
func TestRealEgg(t *testing.T) {
	from := pypiFile(t, "mesos.scheduler", realEgg, realEggSHA256)
	f := newForge(t)
	f.flags = []string{"--stack", "cdh5", "--only", "packages"}
	if err := os.Mkdir(f.vendor, 0o755); err != nil {
		t.Fatal(err)
	}
	copyAll(t, from, filepath.Join(f.vendor, realEgg))
	recipe := "recipes/cdh5/components/mesos-egg.yaml"
	f.edit(recipe, `mesos-\[0-9\]\*-py\*\.egg`, "mesos.scheduler-*-py*.egg")
	f.edit(recipe, `file: mesos-0\.19\.0-py2\.7-linux-x86_64\.egg`, "file: "+realEgg)
	const want = "the egg " + realEgg + " has version 1.11.0, and the package mesos has 0.19.0-1~standin1: they must be one version of one build [F04]"
	for _, command := range []string{"plan", "build"} {
		if out, errs, code := f.run(command, "--role", "slave"); code != 1 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("forge %s: exit status %d, output %q, error %q; want %q", command, code, out, errs, want)
		}
	}

	for _, name := range []string{recipe, "recipes/cdh5/components/mesos.yaml"} {
		name = filepath.Join(f.checkout, name)
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte(`"0.19.0"`), []byte(`"1.11.0"`)), []byte(`"0.19.0-1~`), []byte(`"1.11.0-1~`))
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f.edit("recipes/cdh5/forge.lock", `(?s)\npackages:.*`, "\n") // those of the other version
	if _, errs, code := f.run("lock", "--offline"); code != 0 {
		t.Fatalf("forge lock: exit status %d\n%s", code, errs)
	}
	res := f.build("--offline")
	deb := filepath.Join(f.out, "debs/forge-mesos-egg_1.11.0-1_amd64.deb")
	if got := res.Roles[0].StandIns; strings.Contains(strings.Join(got, " "), "egg") {
		t.Errorf("stand-ins %v, in spite of the real egg", got)
	}
	root := filepath.Join(f.dir, "root")
	const python = `
import os, site, sys
site.addsitedir(sys.argv[1])
egg = os.path.join(sys.argv[1], sys.argv[2])
assert egg in sys.path, sys.path
library = open(os.path.join(egg, "mesos/scheduler/_scheduler.so"), "rb").read(20)
assert library[:5] == b"\x7fELF\x02" and library[18] == 62, library
import importlib.metadata
found = importlib.metadata.distribution("mesos.scheduler")
assert found.version == "1.11.0", found.version
print(found.read_text("top_level.txt").strip())
`
	dir := filepath.Join(root, "usr/local/lib/python2.7/dist-packages")
	out, err := exec.Command("sh", "-ec", `dpkg-deb --extract "$1" "$2" && exec python3 -c "$3" "$4" "$5"`, "sh", deb, root, python, dir, realEgg).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "mesos" {
		t.Errorf("python3: %v\n%s", err, out)
	}
}

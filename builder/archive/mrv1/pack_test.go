package mrv1

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// hadoop121 is a folder as Pack wants it, changed by spoil.
func hadoop121(t *testing.T, spoil func(top string)) string {
	t.Helper()
	dir := t.TempDir()
	top := filepath.Join(dir, "hadoop-1.2.1")
	for name, mode := range map[string]os.FileMode{"bin/hadoop": 0o755, "lib/a.jar": 0o644} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(top, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(top, name), []byte("#!/bin/sh\necho "+name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("lib/a.jar", filepath.Join(top, "a.jar")); err != nil {
		t.Fatal(err)
	}
	if spoil != nil {
		spoil(top)
	}
	return dir
}

const packed = "hadoop-1.2.1-mesos-1.11.0.tar.gz"

func TestPack(t *testing.T) {
	var first, second bytes.Buffer
	for _, b := range []*bytes.Buffer{&first, &second} {
		if err := Pack(t.Context(), hadoop121(t, nil), packed, clamp, b); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two folders with the same content gave different archives")
	}
	run := exec.Command("sh", "-ec", `tar -xz; cd hadoop-1*; bin/hadoop; sh a.jar`)
	run.Dir, run.Stdin = t.TempDir(), &first
	if out, err := run.CombinedOutput(); err != nil || string(out) != "bin/hadoop\nlib/a.jar\n" {
		t.Errorf("as the executor runs it: %v, %s", err, out)
	}
}

func TestPackRefuses(t *testing.T) {
	link := func(target string) func(string) {
		return func(top string) {
			if err := os.Symlink(target, filepath.Join(top, "bad")); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name, archive string
		spoil         func(top string)
		want          string
	}{
		{"no program", packed, func(top string) { _ = os.Remove(filepath.Join(top, "bin/hadoop")) }, "hadoop-1.2.1/bin/hadoop is missing"},
		{"program of root alone", packed, func(top string) { _ = os.Chmod(filepath.Join(top, "bin/hadoop"), 0o700) }, "not everybody can run it"},
		{"link to nothing", packed, link("gone"), "a link leads to nothing"},
		{"link out", packed, link("/etc/hosts"), "the link hadoop-1.2.1/bad leads out of the archive"},
		{"another name", "cdh-1.tar.gz", nil, "the folder hadoop-1.2.1 is not found by an executor that unpacks cdh-1.tar.gz"},
		{"two folders", packed, func(top string) { _ = os.Mkdir(filepath.Join(filepath.Dir(top), "x"), 0o755) }, "2 things at the top"},
	} {
		err := Pack(t.Context(), hadoop121(t, c.spoil), c.archive, clamp, io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
	}
}

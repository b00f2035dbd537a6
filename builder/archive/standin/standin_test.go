package standin

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var sample = Archive{
	File:     "azkaban-2.5.0.tar.gz",
	Files:    []string{"azkaban-2.5.0/lib/azkaban.jar", "azkaban-2.5.0/README"},
	Programs: []string{"azkaban-2.5.0/bin/start.sh"},
	Texts:    map[string]string{"azkaban-2.5.0/VERSION": "2.5.0\n"},
	Links:    map[string]string{"azkaban-2.5.0/libs": "lib"},
	Dirs:     []string{"azkaban-2.5.0/extlib"},
}

// TestTar has tar and unzip read what was written, and a shell run the program.
func TestTar(t *testing.T) {
	dir := t.TempDir()
	var b, again bytes.Buffer
	for _, w := range []*bytes.Buffer{&b, &again} {
		if err := Write(w, sample); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Error("two archives of one description differ")
	}
	if err := os.WriteFile(filepath.Join(dir, sample.File), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `tar -tzf *.tar.gz && tar -xzf *.tar.gz && cd azkaban-2.5.0 && cat VERSION README && readlink libs && unzip -p lib/azkaban.jar && bin/start.sh`)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%v: a program of a stand-in fails", err)
	}
	const want = "azkaban-2.5.0/\nazkaban-2.5.0/README\nazkaban-2.5.0/VERSION\nazkaban-2.5.0/bin/\nazkaban-2.5.0/bin/start.sh\n" +
		"azkaban-2.5.0/extlib/\nazkaban-2.5.0/lib/\nazkaban-2.5.0/lib/azkaban.jar\nazkaban-2.5.0/libs\n" +
		"2.5.0\nStand-in made by forge: this is not azkaban-2.5.0/README of azkaban-2.5.0.tar.gz, and does nothing.\nlib\n" +
		"Manifest-Version: 1.0\nForge-Standin: azkaban.jar\n\nStand-in made by forge: this is not azkaban-2.5.0/lib/azkaban.jar of azkaban-2.5.0.tar.gz, and does nothing.\n" +
		"Stand-in made by forge: this is not azkaban-2.5.0/bin/start.sh of azkaban-2.5.0.tar.gz, and does nothing.\n"
	if got := strings.ReplaceAll(string(out), "\r", ""); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFaults(t *testing.T) {
	for want, a := range map[string]Archive{
		"x: a zip archive holds no links":           {File: "a.jar", Links: map[string]string{"x": "y"}},
		"want a name that ends in .tar.gz":          {File: "a.rpm", Files: []string{"x"}},
		"stand-in of a.jar: libs: a zip archive ho": {File: "a.jar", Links: map[string]string{"libs": "lib"}},
	} {
		if err := Write(&bytes.Buffer{}, a); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

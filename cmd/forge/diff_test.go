package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/compare"
)

// keepRole keeps the role slave of the output folder, its disk left out, for a comparison with the next build.
func (f *forge) keepRole() string {
	f.t.Helper()
	kept := filepath.Join(f.dir, "kept", "slave")
	if err := os.MkdirAll(kept, 0o755); err != nil {
		f.t.Fatal(err)
	}
	for _, name := range []string{"image", "packages.json", "forge.lock"} { // all of it will be replaced: links are enough
		if out, err := exec.Command("cp", "-al", filepath.Join(f.out, "slave", name), kept).CombinedOutput(); err != nil {
			f.t.Fatalf("%v: %s", err, out)
		}
	}
	return kept
}

// checkDiff compares a build whose overlay has another swappiness with the one before, and reads what the report
// says about it.
func (f *forge) checkDiff(before string) {
	f.t.Helper()
	now := filepath.Join(f.out, "slave")
	text, errs, code := f.run("diff", before, now)
	if code != 3 || errs != "" {
		f.t.Errorf("forge diff of two builds: exit status %d\n%s", code, errs)
	}
	for _, want := range []string{"~ forge-role-slave: 1-1 -> 1-2\n", "~ /etc/sysctl.d/60-forge-slave.conf: size ", "- package forge-role-slave 1-1 all", "+ file disk.qcow2: ", "layer/role/slave: "} {
		if !strings.Contains(text, want) {
			f.t.Errorf("forge diff lacks %q:\n%s", want, text)
		}
	}
	out, errs, code := f.run("diff", filepath.Join(before, "image"), now, "--output", "json")
	var res compare.Result
	if err := json.Unmarshal([]byte(out), &res); err != nil || code != 3 || res.Same || len(res.Parts) != 1 {
		f.t.Fatalf("forge diff --output json: exit status %d, %v\n%s\n%s", code, err, errs, out)
	}
	changed := map[string]compare.FileChange{}
	for _, c := range res.Parts[0].Files {
		changed[c.Path] = c
		if c.Change != compare.Changed && !strings.HasPrefix(c.Path, "/var/lib/dpkg/") {
			f.t.Errorf("%s was %s; the overlay has no other files than before", c.Path, c.Change)
		}
	}
	c := changed["/etc/sysctl.d/60-forge-slave.conf"]
	if c.Package != "forge-role-slave" || !slices.Equal(c.What, []string{"size", "content"}) || c.A == nil || c.B == nil || c.A.Digest == c.B.Digest || c.B.Size != int64(len("vm.swappiness = 2\n")) {
		f.t.Errorf("the overlay's file: %+v", c)
	}
	if len(changed) > 20 {
		f.t.Errorf("%d files changed with one line of an overlay", len(changed))
	}
	if text, errs, code := f.run("diff", filepath.Join(now, "image"), now); code != 0 || !strings.Contains(text, "They are the same.") {
		f.t.Errorf("forge diff of an image with itself: exit status %d\n%s%s", code, text, errs)
	}
	page, err := os.ReadFile(filepath.Join(f.out, "report.html"))
	if err != nil {
		f.t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), `<section id="changes">`)
	section, _, _ = strings.Cut(section, "</section>")
	for _, want := range []string{"forge-role-slave</td>", ">1-1</td>", ">1-2</td>", "/etc/sysctl.d/60-forge-slave.conf", "layer/role/slave", "disk.qcow2"} {
		if !strings.Contains(section, want) {
			f.t.Errorf("the report's changes lack %q:\n%s", want, section)
		}
	}
	if left, err := os.Stat(filepath.Join(f.out, ".forge", "former")); err == nil {
		f.t.Errorf("%s was left in the output folder", left.Name())
	}
}

func TestDiffMistakes(t *testing.T) {
	f := newForge(t)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"diff"}, 2, "diff needs two things to compare"},
		{[]string{"diff", "a", "b", "c"}, 2, "diff needs two things to compare"},
		{[]string{"diff", "a", "b", "--output", "xml"}, 2, "want text or json"},
		{[]string{"diff", "./a", "./b"}, 1, "./a: there is no such file or folder"},
		{[]string{"diff", f.program, f.program}, 1, "neither a .deb nor a lock"},
	} {
		out, errs, code := f.run(c.args...)
		if code != c.code || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("forge %s: exit status %d, output %q, error %q; want %d and %q", strings.Join(c.args, " "), code, out, errs, c.code, c.want)
		}
	}
}

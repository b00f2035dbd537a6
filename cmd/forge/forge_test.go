package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// work is the folder of this test process. Every user may enter it.
var work string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "forge-cmd-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	work = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// compiled makes the real program, once.
var compiled = sync.OnceValues(func() (string, error) {
	program := filepath.Join(work, "forge")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
})

// snapshot copies the checkout, once: all builds have the same, also when somebody edits meanwhile.
var snapshot = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(work, "checkout")
	return dir, copyCheckout("../..", dir)
})

// forge is the real program with a checkout, a store and an output folder of its own.
type forge struct {
	t                  *testing.T
	program            string
	checkout, dir      string
	store, out, vendor string
	flags              []string // for each command
	env                []string // on top of the test's own
	wrap               []string // program and arguments that run forge, see enter and as
}

func newForge(t *testing.T) *forge {
	t.Helper()
	dir, err := os.MkdirTemp(work, "test-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil { // such as for a mount that is left in it
			t.Error(err)
		}
	})
	return newForgeIn(t, dir)
}

func newForgeIn(t *testing.T, dir string) *forge {
	t.Helper()
	f := &forge{t: t, dir: dir, checkout: filepath.Join(dir, "checkout"), store: filepath.Join(dir, "store"),
		out: filepath.Join(dir, "out"), vendor: filepath.Join(dir, "vendor")}
	var err error
	if f.program, err = compiled(); err != nil {
		t.Fatal(err)
	}
	from, err := snapshot()
	if err == nil {
		err = copyCheckout(from, f.checkout)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// copyCheckout copies what git keeps at the top, and leaves out what lies there beside it.
func copyCheckout(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o755); err != nil {
		return err
	}
	for _, e := range entries {
		src, dst := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		switch name := e.Name(); {
		case name == ".git", name == "out", name == "vendor", name == "forge.yaml", name == "cluster.yaml":
		case e.IsDir():
			err = errors.Join(err, os.CopyFS(dst, os.DirFS(src)))
		default:
			b, readErr := os.ReadFile(src)
			err = errors.Join(err, readErr, os.WriteFile(dst, b, 0o644))
		}
	}
	return err
}

// command returns the command that runs forge.
func (f *forge) command(args ...string) *exec.Cmd {
	line := append(append([]string{}, f.wrap...), f.program)
	line = append(append(line, args...), "--checkout", f.checkout, "--store", f.store, "--out", f.out, "--vendor", f.vendor)
	line = append(line, f.flags...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append(os.Environ(), f.env...)
	return cmd
}

// run returns standard output, standard error and the exit status.
func (f *forge) run(args ...string) (string, string, int) {
	f.t.Helper()
	cmd := f.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		f.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func (f *forge) build(flags ...string) builder.Result {
	f.t.Helper()
	out, errs, code := f.run(append([]string{"build", "--role", "slave", "--output", "json"}, flags...)...)
	if code != 0 {
		f.t.Fatalf("forge build: exit status %d\n%s", code, errs)
	}
	return f.result(out)
}

func (f *forge) result(out string) builder.Result {
	f.t.Helper()
	var res builder.Result
	if err := json.Unmarshal([]byte(out), &res); err != nil {
		f.t.Fatalf("%v in %q", err, out)
	}
	return res
}

// digests returns what a build made, by name: packages, image, disk.
func (f *forge) digests(res builder.Result) map[string]string {
	f.t.Helper()
	m := map[string]string{}
	for _, r := range res.Roles {
		m[r.Image] = r.Digest
		for _, name := range slices.Concat(r.Disks, []string{r.Lock, r.Packages, r.SBOM}, r.Debs) {
			file, err := os.Open(filepath.Join(f.out, name))
			if err != nil {
				f.t.Fatal(err)
			}
			d, _, err := store.DigestReader(file)
			if err != nil {
				f.t.Fatal(err)
			}
			file.Close()
			m[name] = string(d)
		}
	}
	return m
}

func (f *forge) plan(flags ...string) map[string]step.Planned {
	f.t.Helper()
	out, errs, code := f.run(append([]string{"plan", "--role", "slave", "--output", "json"}, flags...)...)
	var plan []step.Planned
	if err := json.Unmarshal([]byte(out), &plan); err != nil || code != 0 {
		f.t.Fatalf("forge plan: exit status %d, %v\n%s", code, err, errs)
	}
	m := map[string]step.Planned{}
	for _, p := range plan {
		m[p.Step] = p
	}
	return m
}

// planNames changes a file, expects that the plan gives the reason for the step, and puts the file back.
func (f *forge) planNames(what, path, content, name, reason string) {
	f.t.Helper()
	before, readErr := os.ReadFile(path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
		f.t.Fatal(err)
	}
	if p := f.plan()[name]; p.State != step.Miss || !strings.Contains(strings.Join(p.Reasons, "; "), reason) {
		f.t.Errorf("%s changed: %+v; want a miss that says %q", what, p, reason)
	}
	err := os.Remove(path)
	if readErr == nil {
		err = os.WriteFile(path, before, 0o644)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

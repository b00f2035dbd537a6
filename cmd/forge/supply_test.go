package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/evidence"
	"github.com/mesos-forge/forge/builder/image/oci/registrytest"
)

// planted is the secret that nothing may tell.
const planted = "planted-8c1f-passphrase"

// opensslKey makes a key pair, the private one encrypted with the planted passphrase; it returns the two files.
func opensslKey(t *testing.T, dir string) (private, public string) {
	t.Helper()
	private, public = filepath.Join(dir, "forge.key"), filepath.Join(dir, "forge.pub")
	for _, args := range [][]string{
		{"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes256", "-pass", "pass:" + planted, "-out", private},
		{"pkey", "-in", private, "-passin", "pass:" + planted, "-pubout", "-out", public},
	} {
		if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", args[0], err, out)
		}
	}
	return private, public
}

// TestSupplyChain signs a role, pushes it, checks it and builds it again from what the registry has.
func TestSupplyChain(t *testing.T) {
	data := t.TempDir()
	host := registrytest.Registry{Data: data}.Start(t)
	f, _ := builtRole(t)
	private, public := opensslKey(t, f.dir)
	text, err := os.ReadFile(private)
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer // by all commands
	forge := func(env []string, args ...string) (string, string, int) {
		t.Helper()
		f.env = env
		out, errs, code := f.run(args...)
		said.WriteString(out + errs)
		return out, errs, code
	}
	must := func(out, errs string, code int) string {
		t.Helper()
		if code != 0 {
			t.Fatalf("exit status %d\n%s", code, errs)
		}
		return out
	}
	inEnvironment := []string{"FORGE_SIGN_KEY=" + string(text), "FORGE_SIGN_PASSPHRASE=" + planted}
	must(forge(inEnvironment, "build", "--role", "slave"))
	ref := strings.TrimSpace(must(forge([]string{"FORGE_SIGN_PASSPHRASE=" + planted}, "push", host+"/cluster/slave:1", "--role", "slave", "--allow-standins", "--sign-key", private)))

	var seen evidence.Inspection
	if err := json.Unmarshal([]byte(must(forge(nil, "inspect", host+"/cluster/slave:1", "--output", "json"))), &seen); err != nil {
		t.Fatal(err)
	}
	if seen.Name != ref || len(seen.Image.Layers) != 3 || len(seen.Packages) < 100 || len(seen.Attached) != 5 || seen.Stack != "bookworm" || strings.Join(seen.StandIns, " ") != "mesos" {
		t.Errorf("inspect: %s, %d layers, %d packages, stack %s, stand-ins %v, attached %+v", seen.Name, len(seen.Image.Layers), len(seen.Packages), seen.Stack, seen.StandIns, seen.Attached)
	}

	if out := must(forge(nil, "verify", filepath.Join(f.out, "slave", "disk.qcow2"), "--key", public)); !strings.Contains(out, "slave/disk.qcow2 with this digest") {
		t.Errorf("verify of the disk: %s", out)
	}
	if out := must(forge(nil, "verify", ref, "--key", public, "--rebuild")); !strings.Contains(out, "identical: 9 results") {
		t.Errorf("the rebuild: %s", out)
	}
	if _, errs, code := forge([]string{"FORGE_SIGN_PASSPHRASE=guess"}, "push", host+"/cluster/slave:1", "--role", "slave", "--allow-standins", "--sign-key", private); code != 1 || !strings.Contains(errs, "passphrase is wrong") {
		t.Errorf("a wrong passphrase: exit status %d, %s", code, errs)
	}
	if _, errs, code := forge(nil, "build", "--sign-key", string(text)); code != 2 || !strings.Contains(errs, "command line") {
		t.Errorf("a key on the command line: exit status %d, %s", code, errs)
	}

	must(forge(nil, "build", "--role", "slave"))
	if _, errs, code := forge(nil, "verify", filepath.Join(f.out, "slave", "disk.qcow2"), "--key", public); code != 1 || !strings.Contains(errs, "not signed") {
		t.Errorf("after a build without a key: exit status %d, %s", code, errs)
	}

	secrets := []string{planted, strings.Split(string(text), "\n")[1]}
	for _, secret := range secrets {
		if strings.Contains(said.String(), secret) {
			t.Errorf("a command says %q", secret)
		}
	}
	// What is in images and disks lies unpacked in the store's trees.
	grepNone(t, secrets, f.out, data, filepath.Join(f.store, "logs"), filepath.Join(f.store, "results"), filepath.Join(f.store, "trees"))
}

// grepNone looks for secrets in all files below folders.
func grepNone(t *testing.T, secrets []string, dirs ...string) {
	t.Helper()
	args := []string{"-rlaF", "--exclude=disk.*"}
	for _, secret := range secrets {
		args = append(args, "-e", secret)
	}
	out, err := exec.Command("grep", append(append(args, "--"), dirs...)...).CombinedOutput()
	if exit := (*exec.ExitError)(nil); len(out) > 0 || !errors.As(err, &exit) || exit.ExitCode() != 1 { // 1: nothing was found
		t.Errorf("grep: %v; secrets are in\n%s", err, out)
	}
}

// TestRebuildDiffers: another program in the checkout is found in the package that holds it.
func TestRebuildDiffers(t *testing.T) {
	f, _ := builtRole(t)
	private, public := opensslKey(t, f.dir)
	f.env = []string{"FORGE_SIGN_PASSPHRASE=" + planted}
	f.build("--only", "packages", "--sign-key", private)
	agent, err := filepath.Glob(filepath.Join(f.out, "debs", "forge-node_*.deb"))
	if err != nil || len(agent) != 1 {
		t.Fatalf("packages of forge-node: %v, %v", agent, err)
	}
	main := filepath.Join(f.checkout, "cmd", "forge-node", "main.go")
	code, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(main, append(code, "\nfunc init() { println(\"another\") }\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(f.dir, "rebuild")
	_, errs, status := f.run("verify", agent[0], "--key", public, "--rebuild", "--rebuild-dir", kept)
	for _, want := range []string{"the rebuild differs", "step deb/forge-node", "/usr/bin/forge-node: content", kept} {
		if status != 1 || !strings.Contains(errs, want) {
			t.Errorf("exit status %d, %s; want %q", status, errs, want)
		}
	}
	if _, err := os.Stat(filepath.Join(kept, "out", "debs")); err != nil {
		t.Errorf("the rebuild was not kept: %v", err)
	}

	overlay := filepath.Join(f.checkout, "recipes", "bookworm", "stack.yaml")
	text, err := os.ReadFile(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, append(text, "# changed\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, errs, status := f.run("verify", agent[0], "--key", public, "--rebuild"); status != 1 || !strings.Contains(errs, "recipes") || !strings.Contains(errs, "not those of the provenance") {
		t.Errorf("other recipes: exit status %d, %s", status, errs)
	}
	left, err := fs.Glob(os.DirFS(filepath.Dir(f.store)), "forge-rebuild-*")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

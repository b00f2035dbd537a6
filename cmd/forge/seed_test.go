package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seedCommandLine runs forge seed on the example inventory with results in out.
func seedCommandLine(t *testing.T, out string, args ...string) (string, error) {
	t.Helper()
	return command(t, append([]string{"seed", "--checkout", "../..", "--inventory", "../../cluster.example.yaml", "--out", out}, args...)...)
}

func TestSeedFormats(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ args, file, begins, next string }{
		{"", "slave1.iso", "", "attach it, read-only, to a machine that boots a clone of the disk of the role slave"},
		{"--format openstack", "slave1.config-drive.iso", "", "attach it, read-only"},
		{"--format user-data", "slave1.user-data", "#cloud-config\n", "give FILE as user-data to a machine that boots a clone of the disk of the role slave"},
		{"--format user-data --identity-in meta-data", "slave1.user-data", "#cloud-config\n", "give FILE as user-data, and the properties forge.node=slave1 and forge.role=slave, to a machine"},
		{"--format ec2", "slave1.ec2.user-data", "#cloud-config\n", "start an instance from the disk of the role slave with --user-data fileb://FILE\n"},
		{"--format ec2 --identity-in meta-data", "slave1.ec2.user-data", "#cloud-config\n",
			"--user-data fileb://FILE --metadata-options InstanceMetadataTags=enabled and the tags forge.node=slave1 and forge.role=slave"},
	} {
		file := filepath.Join(dir, "seeds", c.file)
		out, err := seedCommandLine(t, dir, append([]string{"--node", "slave1"}, strings.Fields(c.args)...)...)
		want := file + ": node slave1 (10.162.2.94), role slave of cluster lab\nnext: "
		if err != nil || !strings.HasPrefix(out, want) || !strings.Contains(out, strings.ReplaceAll(c.next, "FILE", file)) {
			t.Errorf("%s: %q, %v; want %q and %q", c.args, out, err, want, c.next)
		}
		data, err := os.ReadFile(file)
		fi, statErr := os.Stat(file)
		if err != nil || statErr != nil || fi.Mode() != 0o600 || !strings.HasPrefix(string(data), c.begins) {
			t.Errorf("%s: %v, %v, begins with %.20q", c.file, fi, err, data)
		}
	}
}

func TestSeedAll(t *testing.T) {
	dir := t.TempDir()
	out, err := seedCommandLine(t, dir, "--all")
	if err != nil || strings.Count(out, " of cluster lab\n") != 6 || !strings.HasSuffix(out, "\nnext: attach each, read-only, to a machine that boots a clone of the disk of its role, or of the golden image\n") {
		t.Errorf("%q, %v", out, err)
	}
	out, err = seedCommandLine(t, dir, "--all", "--output", "json", "--format", "openstack", "--identity-in", "none")
	if err != nil {
		t.Fatal(err)
	}
	var all []seedResult
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(all) != 6 || all[5].Node != "slave3" || all[5].Seed != filepath.Join(dir, "seeds", "slave3.config-drive.iso") || all[5].Format != "openstack" || all[5].Identity != "none" {
		t.Errorf("%+v", all)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "seeds")); err != nil || len(entries) != 12 {
		t.Errorf("%d files, %v; want those of both formats", len(entries), err)
	}
	out, err = seedCommandLine(t, dir, "--node", "master1", "--output", "json")
	var one seedResult
	if err != nil || json.Unmarshal([]byte(out), &one) != nil || one.Role != "master" || one.Identity != "both" {
		t.Errorf("%s, %v", out, err)
	}
}

func TestSeedUsage(t *testing.T) {
	for _, c := range []struct {
		args, want string
		usage      bool
	}{
		{"", "seed needs --node NAME, a node of the inventory, or --all", true},
		{"--role slave", "--role is for builds; the inventory says a node's role: give --node NAME, or --all", true},
		{"--node slave1 --all", "--node and --all exclude each other", true},
		{"--all --to x.iso", "--to names one file; with --all use --out", true},
		{"--node slave1 --format floppy", "--format floppy: want one of nocloud-iso, user-data, openstack, ec2", true},
		{"--node slave1 --identity-in metadata", "--identity-in metadata: want one of both, user-data, meta-data, none", true},
		{"--node slave1 --output xml", "--output xml: want one of text, json", true},
		{"--node slave1 --secret hunter2", "--secret wants NAME=FILE, or NAME=- for standard input", true},
		{"--node slave1 --user-data /none.yaml", "user-data: stat /none.yaml: no such file or directory", false},
		{"--node slave1 --user-data ../..", "user-data: ../.. is not a file of at most 262144 bytes", false},
		{"--node slave1 --user-data seed.go", `seed of node "slave1": user-data: seed.go: its first line is none of "#cloud-config"`, false},
	} {
		out, err := seedCommandLine(t, t.TempDir(), strings.Fields(c.args)...)
		var usage usageError
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &usage) != c.usage || out != "" {
			t.Errorf("seed %s: %q, %v; want %q", c.args, out, err, c.want)
		}
	}
}

// Azkaban and its data base share a secret: made at the first run, the same at the next, for the nodes that
// use it.
func TestSeedSharedSecret(t *testing.T) {
	dir := t.TempDir()
	var first []byte
	for range 2 {
		out, err := seedCommandLine(t, dir, "--inventory", "../../builder/testdata/azkaban.yaml", "--node", "master2")
		if err != nil || !strings.Contains(out, "role master of cluster lab; secrets: azkaban-database\n") {
			t.Fatalf("%q, %v", out, err)
		}
		data, err := os.ReadFile(filepath.Join(dir, "seeds", "master2.iso"))
		if err != nil || first != nil && string(first) != string(data) {
			t.Errorf("another seed (%v)", err)
		}
		first = data
	}
	for path, mode := range map[string]os.FileMode{"seeds/secrets": os.ModeDir | 0o700, "seeds/secrets/lab": os.ModeDir | 0o700, "seeds/secrets/lab/azkaban-database": 0o600} {
		if fi, err := os.Stat(filepath.Join(dir, path)); err != nil || fi.Mode() != mode {
			t.Errorf("%s: %v, %v; want %v", path, fi, err, mode)
		}
	}
	for _, stack := range []string{"bookworm", "cdh5"} {
		for node, want := range map[string]bool{"master1": false, "master2": true, "master3": true, "slave1": false} {
			out, err := seedCommandLine(t, dir, "--stack", stack, "--inventory", "../../builder/testdata/azkaban.yaml", "--node", node)
			if err != nil || strings.Contains(out, "; secrets: azkaban-database\n") != want {
				t.Errorf("%s, %s: %q, %v; want the secret: %v", stack, node, out, err, want)
			}
		}
	}
}

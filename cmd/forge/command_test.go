package main

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/viper"
)

// command runs a command that needs no namespaces of its own inside the test, and returns its output.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := newRoot(viper.New())
	var out bytes.Buffer
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(io.Discard) // shells' completion tells there what it did
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestSchemaCommand(t *testing.T) {
	if out, err := command(t, "schema", "--checkout", "../..", "--check"); err != nil || out != "" {
		t.Errorf("schema --check = %q, %v; want that the committed schemas are up to date", out, err)
	}
	dir := filepath.Join(t.TempDir(), "new")
	if out, err := command(t, "schema", "--to", dir); err != nil || !strings.Contains(out, filepath.Join(dir, "inventory.schema.json")) {
		t.Errorf("schema --to = %q, %v", out, err)
	}
	if out, err := command(t, "schema", "--to", dir); err != nil || !strings.Contains(out, "up to date") {
		t.Errorf("schema --to, again = %q, %v", out, err)
	}
	if out, err := command(t, "schema", "role"); err != nil || !strings.Contains(out, `"title": "forge role"`) {
		t.Errorf("schema role = %q, %v", out, err)
	}
	if _, err := command(t, "schema", "--to", filepath.Join(dir, "absent"), "--check"); err == nil || !strings.Contains(err.Error(), "write them with forge schema --to") {
		t.Errorf("error = %v; want the command that mends it", err)
	}
}

func TestCompletion(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"build --role ", "slave\n"},
		{"build --stack ", "bookworm\n"},
		{"build --only ", "packages\nimages\n"},
		{"plan --progress ", "auto\nplain\njson\n"},
		{"schema inv", "inventory\n"},
		{"completion ba", "bash\n"},
	} {
		args := append([]string{"__completeNoDesc", "--checkout", "../.."}, strings.Split(c.args, " ")...)
		if out, err := command(t, args...); err != nil || !strings.Contains(out, c.want) {
			t.Errorf("forge %s<TAB> = %q, %v; want %q", c.args, out, err, c.want)
		}
	}
	if out, err := command(t, "completion", "bash"); err != nil || !strings.Contains(out, "__start_forge") {
		t.Errorf("completion bash = %d bytes, %v", len(out), err)
	}
}

func TestLintOutsideOfACheckout(t *testing.T) {
	dir := t.TempDir()
	want := dir + " has no folder recipes: run forge where the recipes are, or name the place with --checkout"
	if out, err := command(t, "lint", "--checkout", dir); err == nil || !strings.Contains(err.Error(), want) || out != "" {
		t.Errorf("lint = %q, %v; want %s", out, err, want)
	}
}

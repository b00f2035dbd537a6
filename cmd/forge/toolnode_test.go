package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoNodeIsATool holds that no inventory makes a machine of a tool's role.
func TestNoNodeIsATool(t *testing.T) {
	text, err := os.ReadFile("../../cluster.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	inventory := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(inventory, []byte(strings.Replace(string(text), "role: slave", "role: builder", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"lint", "--inventory", inventory}, "exit status 1"},
		{[]string{"render", "--inventory", inventory, "--node", "slave1"}, `role of a node "builder" not found in stack bookworm; there is: all, master, slave`},
		{[]string{"seed", "--inventory", inventory, "--node", "slave1"}, `the stack has no role "builder"`},
	} {
		if _, err := command(t, append(c.args, "--checkout", "../..", "--store", t.TempDir(), "--out", t.TempDir())...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("forge %s: %v, want %q", strings.Join(c.args, " "), err, c.want)
		}
	}
}

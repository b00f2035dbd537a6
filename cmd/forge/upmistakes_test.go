package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Mistakes around clusters are named before anything is built or started.
func TestUpMistakes(t *testing.T) {
	f := newForge(t)
	example := filepath.Join(f.checkout, "cluster.example.yaml")
	broken := filepath.Join(f.dir, "broken.yaml")
	if err := os.WriteFile(broken, []byte("name: Lab\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	nobody := "unix://" + filepath.Join(f.dir, "docker.sock")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"up", "--inventory", example, "--host", nobody}, 1, `"apt-get install docker.io" and "systemctl start docker" give one`},
		{[]string{"up", "--inventory", "none.yaml", "--host", nobody}, 1, "none.yaml does not exist; forge init --to none.yaml writes one"},
		{[]string{"up", "--inventory", broken, "--host", nobody}, 1, "broken.yaml:1"},
		{[]string{"up", "--role", "slave"}, 2, "the inventory says the roles of nodes"},
		{[]string{"up", "--memory", "64M", "--inventory", example}, 2, "--memory 64M: want a size from 512M on"},
		{[]string{"up", "--timeout", "0s", "--inventory", example}, 2, "--timeout 0s: want a time such as 10m"},
		{[]string{"up", "--watch", "--no-wait", "--inventory", example}, 2, "--watch and --no-wait exclude each other"},
		{[]string{"up", "--vm", "slave9", "--inventory", example}, 1, `node "slave9" is not in the inventory`},
		{[]string{"up", "--vm", "slave1", "--internet", "--inventory", example}, 2, "--no-wait, --internet and --host are for containers"},
		{[]string{"up", "--replace", "--inventory", example}, 2, "--replace and --data-size are for virtual machines"},
		{[]string{"status", "--cluster", "lab", "--inventory", example, "--host", nobody}, 1, "docker.sock"},
		{[]string{"down", "--cluster", "lab", "--host", nobody}, 1, "Is the docker daemon running?"},
		{[]string{"logs"}, 2, "logs needs the name of one node"},
		{[]string{"sh"}, 2, "sh needs the name of one node; a program comes after --"},
		{[]string{"sh", "slave1", "ls"}, 2, "a program comes after --"},
	} {
		out, errs, code := f.run(c.args...)
		if code != c.code || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("forge %s: exit status %d, output %q, error %q; want %d and %q", strings.Join(c.args, " "), code, out, errs, c.code, c.want)
		}
	}
	if _, err := os.Stat(f.store); err == nil {
		t.Error("a mistake made forge open its store")
	}
}

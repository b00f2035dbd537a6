package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/node"
)

// The agent goes onto every node, so it stays small: of this module it holds
// the packages node, cluster and event alone.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/mesos-forge/forge/"
	var ours []string
	for _, p := range strings.Fields(string(out)) {
		if name, ok := strings.CutPrefix(p, module); ok {
			ours = append(ours, name)
		}
	}
	slices.Sort(ours)
	if diff := cmp.Diff([]string{"builder/cluster", "builder/event", "builder/node", "cmd/forge-node"}, ours); diff != "" {
		t.Errorf("packages of this module (-want +got):\n%s", diff)
	}
}

// resting is a supervisor under which every service has run for long.
type resting struct{}

func (resting) Reload(context.Context, []node.RenderedService) error { return nil }
func (resting) States(_ context.Context, names []string) (map[string]node.Process, error) {
	states := map[string]node.Process{}
	for _, n := range names {
		states[n] = node.Process{Activity: node.Stopped}
		if n == "svc" {
			states[n] = node.Process{Activity: node.Running, PID: os.Getpid()}
		}
	}
	return states, nil
}
func (resting) Start(context.Context, []string) error { return nil }
func (resting) Restart(context.Context, string) error { return nil }
func (resting) Stop(context.Context, []string) error  { return nil }

// starting is a supervisor under which no service ever runs.
type starting struct{ resting }

func (starting) States(_ context.Context, names []string) (map[string]node.Process, error) {
	states := map[string]node.Process{}
	for _, n := range names {
		states[n] = node.Process{Activity: node.Starting}
	}
	return states, nil
}

const (
	inventory = "name: lab\nnetworks: [{cidr: 10.0.0.0/24}]\nnodes:\n- {name: m, address: 10.0.0.1, role: master}\n- {name: s, address: 10.0.0.2, role: slave}\n"
	component = `{"name":"c","services":[{"name":"svc","user":"root","needs":["namenode"],"runit":%q}],
"files":[{"path":"/etc/c.conf","format":"properties","settings":{"fs":"{{ .HDFS.DefaultFS }}"}}]}`
	role = `{"name":"slave","components":["c"],"services":["svc"]}`
)

// layRoot writes the root directory of a node whose one service runs a script.
func layRoot(t *testing.T, dir, script string) {
	t.Helper()
	for path, content := range map[string]string{
		"etc/forge/cluster.yaml":            inventory,
		"usr/share/forge/standins/c.json":   `{"name":"c","package":"c-upstream","version":"1~standin1"}`,
		"etc/forge/node.yaml":               "node: s\n",
		"etc/passwd":                        fmt.Sprintf("root:x:%d:0::/root:/bin/sh\n", os.Getuid()),
		"etc/group":                         fmt.Sprintf("root:x:%d:\n", os.Getgid()),
		"usr/share/forge/components/c.json": fmt.Sprintf(component, script),
		"usr/share/forge/roles/slave.json":  role,
	} {
		file := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func testProgram(t *testing.T) (p *program, stdout, stderr *bytes.Buffer) {
	t.Helper()
	root := t.TempDir()
	layRoot(t, root, "#!/bin/sh\n")
	if err := os.Symlink("/proc", filepath.Join(root, "proc")); err != nil {
		t.Fatal(err)
	}
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	return &program{stdout: stdout, stderr: stderr, node: &node.Node{
		Root: root, Supervisor: resting{}, Now: time.Now,
		Sleep:       func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Addresses:   func() ([]netip.Addr, bool, error) { return nil, false, nil },
		Hostname:    func() (string, error) { return "s", nil },
		SetHostname: func(string) error { return errors.New("not here") },
		Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("nobody answers")
		},
		Exec: func(_ context.Context, _ node.User, argv []string) ([]byte, error) {
			return []byte("first\n" + strings.Join(argv, " ") + "\n"), nil
		},
	}}, stdout, stderr
}

func TestCommands(t *testing.T) {
	p, stdout, stderr := testProgram(t)
	for _, c := range []struct {
		args   string
		status int
		out    string // that standard output holds
		err    string // that standard error holds
	}{
		{"status", 1, "node s (10.0.0.2), role slave, cluster lab: starting", ""},
		{"apply", 0, "forge-node: node s of cluster lab, role slave: configured; services: svc", ""},
		{"status", 3, "waits for namenode 10.0.0.1:8020\nwarning: no network interface has a link", ""},
		{"status --level configured", 0, "stand-in, not the real software: c", ""},
		{"status --json", 3, `"level":"configured"`, ""},
		{"render", 0, "=== /etc/c.conf 0644 root:root\n# Written", ""},
		{"render --node m", 1, "", `does not hold the role "master"`},
		{"render --node x", 1, "", `node "x" is not in the inventory; its nodes: m, s`},
		{"log 7", 0, "first\njournalctl --no-pager --quiet --output=short-iso --lines=7\n", ""},
		{"log x", 2, "", `"x" is not a number of lines`},
		{"facts", 0, `"hostname": "s"`, ""},
		{"version", 0, "forge-node dev", ""},
		{"status --level done", 2, "", `unknown level "done"; there are: configured, in-role`},
		{"status --jsno", 2, "", "flag provided but not defined: -jsno"},
		{"apply now", 2, "", "apply: too many arguments: now"},
		{"stauts", 2, "", `unknown command "stauts"; there are: apply, resume, status`},
		{"", 2, "", "which command?"},
		{"--help", 0, "forge-node COMMAND: apply", ""},
		{"status --help", 0, "", "exit with 0 from this level on"},
		{"serve --port /nonexistent", 1, "", "open the channel to the host"},
		{"container-run", 1, "", "runit is not installed"},
	} {
		stdout.Reset()
		stderr.Reset()
		status := p.run(t.Context(), strings.Fields(c.args))
		if status != c.status || !strings.Contains(stdout.String(), c.out) || !strings.Contains(stderr.String(), c.err) {
			t.Errorf("forge-node %s: status %d, want %d\nout: %s\nerr: %s\nwant out %q, err %q", c.args, status, c.status, stdout, stderr, c.out, c.err)
		}
	}
	to := filepath.Join(t.TempDir(), "preview")
	if status := p.run(t.Context(), []string{"render", "--to", to}); status != 0 {
		t.Fatal(stderr)
	}
	if got, err := os.ReadFile(filepath.Join(to, "etc/c.conf")); err != nil || !strings.Contains(string(got), "fs=hdfs://10.0.0.1:8020\n") {
		t.Errorf("preview: %q %v", got, err)
	}
	if status := p.run(t.Context(), []string{"render", "--to", to}); status != 1 || !strings.Contains(stderr.String(), "is not empty") {
		t.Errorf("a second preview in the same place: status %d, %s", status, stderr)
	}
}

// channel is a port to which the host sends the text in these pieces; between
// them, as while nobody has it open, it gives end of file.
type channel struct {
	pieces  []string
	answers bytes.Buffer
	end     context.CancelFunc
}

func (c *channel) Read(p []byte) (int, error) {
	if len(c.pieces) == 0 {
		c.end()
		return 0, io.EOF
	}
	n := copy(p, c.pieces[0])
	c.pieces[0] = c.pieces[0][n:]
	if c.pieces[0] == "" {
		c.pieces = c.pieces[1:]
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (c *channel) Write(p []byte) (int, error) { return c.answers.Write(p) }

func TestServe(t *testing.T) {
	p, _, _ := testProgram(t)
	if status := p.run(t.Context(), []string{"apply"}); status != 0 {
		t.Fatal("apply failed")
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	c := &channel{end: end, pieces: []string{"sta", "tus\r\n\nfa", "", "cts\n", "log 2\nreboot\n", strings.Repeat("x", 3*maxRequest) + "\nversion\n"}}
	if err := p.answerAll(ctx, c); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(c.answers.String()), "\n")
	want := []string{`"level":"configured"`, `"hostname":"s"`, `{"lines":["first","journalctl`, `unknown request \"reboot\"`, `unknown request \"xxx`, `{"version":"dev"}`}
	if len(lines) != len(want) {
		t.Fatalf("%d answers:\n%s", len(lines), c.answers.String())
	}
	for i, w := range want {
		if !strings.Contains(lines[i], w) || !json.Valid([]byte(lines[i])) {
			t.Errorf("answer %d is %s, want %s", i, lines[i], w)
		}
	}
}

package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder/node"
)

// What the console shows of a failure: a line for each problem, and what to do.
func TestApplyFails(t *testing.T) {
	const advice = "forge-node: mend what this names, then run forge-node apply or reboot; forge-node status says how the node is\n"
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, p *program)
		err   string
	}{
		{"no inventory", func(t *testing.T, p *program) {
			if err := os.Remove(filepath.Join(p.node.Root, "etc/forge/cluster.yaml")); err != nil {
				t.Fatal(err)
			}
		}, "forge-node: FAILED: no inventory: /etc/forge/cluster.yaml does not exist; the node's seed writes it (forge seed --node NAME), or the image was built with --inventory\n" + advice},
		{"a role that the image does not hold", func(t *testing.T, p *program) {
			if err := os.WriteFile(filepath.Join(p.node.Root, "etc/forge/node.yaml"), []byte("node: m\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, `forge-node: FAILED: node "m" has the role "master", which this image does not hold; it holds: slave`},
		{"a service that is not up", func(_ *testing.T, p *program) {
			p.node.Dial = func(context.Context, string, string) (net.Conn, error) { // the NameNode answers
				here, there := net.Pipe()
				_ = there.Close()
				return here, nil
			}
			now := time.Unix(0, 0)
			p.node.Now = func() time.Time { return now }
			p.node.Sleep = func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil }
			p.node.Supervisor = starting{}
		}, "forge-node: FAILED: svc was not up 90 s after its start: it is starting (forge-node status says how it is now)\n" + advice},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, stdout, stderr := testProgram(t)
			c.spoil(t, p)
			if status := p.run(t.Context(), []string{"apply"}); status != exitFailed || !strings.Contains(stderr.String(), c.err) {
				t.Errorf("status %d\nout: %s\nerr: %s\nwant: %s", status, stdout, stderr, c.err)
			}
		})
	}
}

// TestStartJob: what waits for others goes on in a job of init's, whichever init that is.
func TestStartJob(t *testing.T) {
	var asked []string
	exec := func(_ context.Context, _ node.User, argv []string) ([]byte, error) {
		asked = append(asked, strings.Join(argv, " "))
		return nil, nil
	}
	for _, c := range []struct {
		init node.Supervisor
		want string
	}{
		{&node.Systemd{Exec: exec}, "systemctl start --no-block forge-node-resume.service"},
		{&node.Upstart{Exec: exec}, "initctl start --no-wait forge-node-resume"},
		{&node.Runit{Exec: exec}, ""},
	} {
		asked = nil
		p, _, _ := testProgram(t)
		p.node.Supervisor = c.init
		if started := p.resumeLater(t.Context()); started != (c.want != "") || strings.Join(asked, ";") != c.want {
			t.Errorf("%T: started %v, asked %q; want %q", c.init, started, asked, c.want)
		}
	}
}

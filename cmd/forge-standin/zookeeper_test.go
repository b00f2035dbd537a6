package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const zkServer = "/usr/share/zookeeper/bin/zkServer.sh"

// zookeeper is a Debian ZooKeeper on a loopback port, with its data in a test directory.
type zookeeper struct {
	t    *testing.T
	dir  string
	port int
	cmd  *exec.Cmd
}

// startZooKeeper needs Debian's package: its absence fails the test in CI and skips it elsewhere.
func startZooKeeper(t *testing.T) *zookeeper {
	t.Helper()
	if _, err := os.Stat(zkServer); err != nil {
		const hint = "install it: apt-get install --no-install-recommends zookeeper"
		if os.Getenv("CI") == "true" {
			t.Fatalf("no ZooKeeper: %v; %s", err, hint)
		}
		t.Skipf("no ZooKeeper: %v; %s", err, hint)
	}
	z := &zookeeper{t: t, dir: t.TempDir(), port: freePort(t)}
	conf := fmt.Sprintf("tickTime=500\ndataDir=%s/data\nclientPort=%d\nclientPortAddress=127.0.0.1\n"+
		"admin.enableServer=false\n4lw.commands.whitelist=srvr\nmaxSessionTimeout=60000\n", z.dir, z.port)
	if err := os.WriteFile(filepath.Join(z.dir, "zoo.cfg"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	z.start()
	t.Cleanup(z.kill)
	return z
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

func (z *zookeeper) start() {
	z.t.Helper()
	log, err := os.OpenFile(filepath.Join(z.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		z.t.Fatal(err)
	}
	defer log.Close()
	z.cmd = exec.Command(zkServer, "start-foreground", filepath.Join(z.dir, "zoo.cfg"))
	z.cmd.Env = append(os.Environ(), "ZOO_LOG_DIR="+z.dir, "JMXDISABLE=true")
	z.cmd.Stdout, z.cmd.Stderr = log, log
	z.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := z.cmd.Start(); err != nil {
		z.t.Fatal(err)
	}
	eventually(z.t, "ZooKeeper answers", func() bool {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", z.port), time.Second)
		if err != nil {
			return false
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(time.Second))
		conn.Write([]byte("srvr"))
		b := make([]byte, 9)
		n, _ := conn.Read(b)
		return string(b[:n]) == "Zookeeper"
	})
}

// kill ends the server and the shell around it.
func (z *zookeeper) kill() {
	if z.cmd == nil {
		return
	}
	syscall.Kill(-z.cmd.Process.Pid, syscall.SIGKILL)
	z.cmd.Wait()
	z.cmd = nil
}

func (z *zookeeper) url() string { return fmt.Sprintf("zk://127.0.0.1:%d/mesos", z.port) }

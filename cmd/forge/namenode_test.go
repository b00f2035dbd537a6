package main_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/node"
)

const nobody = 65534

// nameNode is a NameNode on the host, from the package that the role has.
type nameNode struct {
	dir, conf string
	env       []string
}

// startNameNode formats and starts one, as a user who may do nothing else.
func startNameNode(t *testing.T, f *forge, port, web int) *nameNode {
	t.Helper()
	debs, err := filepath.Glob(filepath.Join(f.out, "debs", "forge-hadoop_*.deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("packages %v, %v", debs, err)
	}
	n := &nameNode{dir: filepath.Join(f.dir, "namenode")} // which every user may enter
	n.conf = filepath.Join(n.dir, "conf")
	if out, err := exec.Command("dpkg-deb", "-x", debs[0], n.dir).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v\n%s", err, out)
	}
	java, err := exec.LookPath("java")
	if err == nil {
		java, err = filepath.EvalSymlinks(java)
	}
	if err != nil {
		t.Fatal(err)
	}
	n.env = []string{"PATH=/usr/bin:/bin", "HOME=" + n.dir, "JAVA_HOME=" + filepath.Dir(filepath.Dir(java)), "HADOOP_LOG_DIR=" + filepath.Join(n.dir, "log"), "HADOOP_HEAPSIZE=200",
		"HADOOP_OPTS=-Djava.io.tmpdir=" + filepath.Join(n.dir, "data") + " -XX:-UsePerfData"} // leave nothing in /tmp
	for _, sub := range []string{"conf", "log", "data"} {
		dir := filepath.Join(n.dir, sub)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	n.site(t, "core", map[string]string{"fs.default.name": fmt.Sprintf("hdfs://127.0.0.1:%d", port), "hadoop.tmp.dir": filepath.Join(n.dir, "data/tmp")})
	n.site(t, "hdfs", map[string]string{"dfs.http.address": fmt.Sprintf("127.0.0.1:%d", web), "dfs.name.dir": filepath.Join(n.dir, "data/nn"), "dfs.safemode.extension": "0"})
	if out, err := n.hadoop("namenode", "-format", "-nonInteractive").CombinedOutput(); err != nil {
		t.Fatalf("format: %v\n%s", err, out)
	}
	cmd := n.hadoop("namenode")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		if err := cmd.Wait(); t.Failed() {
			t.Logf("the NameNode ended, %v; it said:\n%s", err, log.String())
		}
	})
	return n
}

// site writes NAME-site.xml.
func (n *nameNode) site(t *testing.T, name string, settings map[string]string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("<configuration>\n")
	for k, v := range settings {
		fmt.Fprintf(&b, "<property><name>%s</name><value>%s</value></property>\n", k, v)
	}
	b.WriteString("</configuration>\n")
	if err := os.WriteFile(filepath.Join(n.conf, name+"-site.xml"), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (n *nameNode) hadoop(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(n.dir, "usr/lib/hadoop/bin/hadoop"), append([]string{"--config", n.conf}, args...)...)
	cmd.Dir, cmd.Env = n.dir, n.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// watchDataNode waits until the DataNode has registered: it says so itself, and the NameNode too.
func watchDataNode(ctx context.Context, t *testing.T, m *builder.Booted, n *nameNode) {
	t.Helper()
	last := new(node.Status)
	for {
		s, err := m.Status(ctx)
		if err != nil {
			t.Errorf("the DataNode did not register: %v; before, the node said:\n%s", err, last.Describe())
			return
		}
		last = s
		if dn := service(s, "hadoop-hdfs-datanode"); dn != nil && len(dn.Waits) == 0 && healthy(dn) {
			break
		}
		time.Sleep(time.Second)
	}
	out, err := n.hadoop("dfsadmin", "-report").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Datanodes available: 1 (1 total, 0 dead)") {
		t.Errorf("dfsadmin -report: %v; want one live DataNode in\n%s", err, out)
	}
}

func service(s *node.Status, name string) *node.ServiceStatus {
	for i := range s.Services {
		if s.Services[i].Name == name {
			return &s.Services[i]
		}
	}
	return nil
}

func healthy(s *node.ServiceStatus) bool {
	for _, h := range s.Health {
		if !h.OK {
			return false
		}
	}
	return len(s.Health) > 0
}

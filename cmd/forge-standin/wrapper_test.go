package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const overlay = "../../overlays/mesos-standin"

// TestWrapper runs mesos-init-wrapper of the package over a private /etc with a daemon that
// prints its arguments; the rules are those of the field guide, section 1.
func TestWrapper(t *testing.T) {
	const shipped = "--log_dir=/var/log/mesos"
	tests := []struct {
		name  string
		role  string
		files map[string]string // below /etc, over what the package ships; "-" removes
		want  []string
	}{
		{name: "master as shipped", role: "master",
			want: []string{"mesos-master", shipped, "--zk=zk://localhost:2181/mesos", "--port=5050", "--quorum=1", "--work_dir=/var/lib/mesos"}},
		{name: "slave as shipped", role: "slave", want: []string{"mesos-slave", shipped, "--master=zk://localhost:2181/mesos"}},
		{name: "agent is the slave", role: "agent", want: []string{"mesos-slave", shipped, "--master=zk://localhost:2181/mesos"}},
		{name: "files in glob order, after variables", role: "slave",
			files: map[string]string{"mesos/zk": "zk://a:1,b:2/m\n", "mesos-slave/work_dir": "/data/mesos\n",
				"mesos-slave/ip": "10.162.2.94", "mesos-slave/hostname": "10.162.2.94\n"},
			want: []string{"mesos-slave", shipped, "--master=zk://a:1,b:2/m", "--hostname=10.162.2.94", "--ip=10.162.2.94", "--work_dir=/data/mesos"}},
		{name: "question mark", role: "slave", files: map[string]string{"mesos-slave/?no-switch_user": "ignored", "mesos-slave/?strict": ""},
			want: []string{"mesos-slave", shipped, "--master=zk://localhost:2181/mesos", "--no-switch_user", "--strict"}},
		{name: "attributes and resources", role: "slave",
			files: map[string]string{"mesos-slave/attributes/rack": "2\n", "mesos-slave/attributes/empty": "",
				"mesos-slave/attributes/zone": "a b", "mesos-slave/resources/cpus": "4", "mesos-slave/resources/mem": "512\n"},
			want: []string{"mesos-slave", shipped, "--master=zk://localhost:2181/mesos", "--attributes=rack:2;zone:a b", "--resources=cpus:4;mem:512"}},
		{name: "master has no attributes", role: "master",
			files: map[string]string{"mesos-master/attributes/rack": "2"},
			want:  []string{"mesos-master", shipped, "--zk=zk://localhost:2181/mesos", "--port=5050", "--quorum=1", "--work_dir=/var/lib/mesos"}},
		{name: "variables of the slave", role: "slave",
			files: map[string]string{"default/mesos-slave": "MASTER=h:5050\nIP=127.0.0.1\nISOLATION=posix/cpu\nPORT=1\nZK=x\nCLUSTER=x\n"},
			want:  []string{"mesos-slave", "--ip=127.0.0.1", shipped, "--master=h:5050", "--isolation=posix/cpu"}},
		{name: "variables of the master", role: "master",
			files: map[string]string{"default/mesos": "LOGS=\n", "default/mesos-master": "IP=127.0.0.1\nCLUSTER=\"my cluster\"\nPORT=5055\nMASTER=x\nISOLATION=x\n",
				"mesos-master/quorum": "-", "mesos-master/work_dir": "-"},
			want: []string{"mesos-master", "--ip=127.0.0.1", "--port=5055", "--cluster=my cluster"}},
		{name: "a file's text is not evaluated", role: "slave", files: map[string]string{"mesos-slave/hostname": "$(id) `id` *"},
			want: []string{"mesos-slave", shipped, "--master=zk://localhost:2181/mesos", "--hostname=$(id) `id` *"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := runWrapper(t, tt.role, tt.files, nil)
			lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
			if strings.Join(lines, "\n") != strings.Join(tt.want, "\n") {
				t.Errorf("arguments\n  %q, want\n  %q", lines, tt.want)
			}
		})
	}
}

func TestWrapperUlimitAndEnvironment(t *testing.T) {
	files := map[string]string{"default/mesos": "ULIMIT=\"-n 321\"\nMESOS_QUIET=true\n"}
	if got := runWrapper(t, "slave", files, []string{"SHOW=1"}); !strings.Contains(got, "nofile=321\n") || !strings.Contains(got, "MESOS_QUIET=true\n") {
		t.Errorf("daemon sees %q, want nofile=321 and MESOS_QUIET=true", got)
	}
}

func TestWrapperUsage(t *testing.T) {
	status, _, stderr := outcome(t, nil, filepath.Join(overlay, "usr/bin/mesos-init-wrapper"), "worker")
	if status != 2 || !strings.Contains(stderr, "usage: mesos-init-wrapper") {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
}

// TestWrapperSyslog gives the wrapper a /dev/log to send the daemon's output to.
func TestWrapperSyslog(t *testing.T) {
	dir := t.TempDir()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "log"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if out := runWrapper(t, "slave", nil, []string{"DEVLOG=" + dir}); out != "" {
		t.Errorf("output %q went past syslog", out)
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(buf[:n]); !strings.HasPrefix(got, "<14>") || !strings.Contains(got, "mesos-slave[") {
		t.Errorf("syslog got %q, want user.info and the daemon's name", got)
	}
}

// runWrapper returns what a fake daemon prints, one argument a line.
func runWrapper(t *testing.T, role string, files map[string]string, env []string) string {
	t.Helper()
	dir := t.TempDir()
	etc := filepath.Join(dir, "etc")
	if err := os.CopyFS(etc, os.DirFS(filepath.Join(overlay, "etc"))); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(etc, name)
		if text == "-" {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const fake = `#!/bin/sh
[ -z "$SHOW" ] || { echo "nofile=$(ulimit -n)"; env; exit; }
echo "${0##*/}"
for a in "$@"; do printf '%s\n' "$a"; done
`
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mesos-master", "mesos-slave"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(fake), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	wrapper, err := filepath.Abs(filepath.Join(overlay, "usr/bin/mesos-init-wrapper"))
	if err != nil {
		t.Fatal(err)
	}
	// A private mount namespace: /etc is the test's. A /dev/log is added only where one is asked for.
	const setup = `set -e
mount --make-rprivate /
mount --bind "$ETC" /etc
if [ -n "$DEVLOG" ]; then
	touch "$DEVLOG/null"; mount --bind /dev/null "$DEVLOG/null"
	ln -s /proc/self/fd "$DEVLOG/fd"; mount --rbind "$DEVLOG" /dev
fi
exec "$WRAPPER" "$ROLE"`
	cmd := exec.Command("/bin/sh", "-c", setup)
	cmd.Env = append([]string{"PATH=" + bin + ":/usr/sbin:/usr/bin:/sbin:/bin", "ETC=" + etc, "WRAPPER=" + wrapper, "ROLE=" + role}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// upstartMachine is a root with jobs and scripts, and programs on PATH that answer as upstart's would and
// keep what they were asked, each with a line in the file that it returns.
func upstartMachine(t *testing.T) (u *Upstart, asked func() []string) {
	t.Helper()
	root, bin := t.TempDir(), t.TempDir()
	put := func(name, text string, mode os.FileMode) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, override := range map[string]string{"mesos-master": "manual\n", "marathon": "manual\nstart on runlevel [2345]\n", "spark-dispatcher": "manual\n", "azkaban-solo": "", "broken": "manual\n"} {
		put(filepath.Join(root, "etc/init", name+".conf"), "exec /bin/true\n", 0o644)
		if override != "" {
			put(filepath.Join(root, "etc/init", name+".override"), override, 0o644)
		}
	}
	for name, pid := range map[string]string{
		"hadoop-hdfs-namenode": "PIDFILE=\"/var/run/hadoop-hdfs/hadoop-hdfs-namenode.pid\"\n",
		"zookeeper-server":     "export ZOOPIDFILE=${ZOOPIDFILE:-/var/run/zookeeper/zookeeper_server.pid}\n",
		"hadoop-hdfs-zkfc":     "", "hadoop-hdfs-datanode": "", "odd": "",
	} {
		put(filepath.Join(root, "etc/init.d", name), "#!/bin/sh\n"+pid, 0o755)
	}
	put(filepath.Join(root, "var/run/hadoop-hdfs/hadoop-hdfs-namenode.pid"), "4711\n", 0o644)
	put(filepath.Join(root, "var/run/zookeeper/zookeeper_server.pid"), "815", 0o644)
	put(filepath.Join(root, "etc/rc3.d/S20hadoop-hdfs-zkfc"), "", 0o755)
	log := filepath.Join(bin, "asked")
	put(filepath.Join(bin, "initctl"), `#!/bin/sh
echo "initctl $*" >>`+log+`
[ "$1" = status ] || exit 0
case $2 in
mesos-master) echo "mesos-master start/running, process 1234" ;;
marathon) echo "marathon start/spawned, process 77" ;;
spark-dispatcher) echo "spark-dispatcher stop/waiting" ;;
azkaban-solo) printf 'azkaban-solo start/post-start, process 9\n\tpost-start process 10\n' ;;
*) echo "initctl: Unknown job: $2" >&2; exit 1 ;;
esac
`, 0o755)
	put(filepath.Join(bin, "service"), `#!/bin/sh
echo "service $*" >>`+log+`
case "$1 $2" in
"hadoop-hdfs-namenode status" | "zookeeper-server status") exit 0 ;;
"hadoop-hdfs-datanode status") echo "dead, and its number is there"; exit 1 ;;
"odd status") echo "no such action"; exit 64 ;;
*status) exit 3 ;;
esac
`, 0o755)
	put(filepath.Join(bin, "update-rc.d"), "#!/bin/sh\necho \"update-rc.d $*\" >>"+log+"\n", 0o755)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return &Upstart{Root: root, Exec: runAs}, func() []string {
		t.Helper()
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(log); err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
}

func TestUpstartStates(t *testing.T) {
	u, _ := upstartMachine(t)
	names := []string{"mesos-master", "marathon", "spark-dispatcher", "azkaban-solo", "broken", "hadoop-hdfs-namenode", "zookeeper-server", "hadoop-hdfs-zkfc", "hadoop-hdfs-datanode", "absent"}
	got, err := u.States(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Process{
		"mesos-master":         {Activity: Running, PID: 1234, Restarts: -1},
		"marathon":             {Activity: Starting, PID: 77, Restarts: -1, Enabled: true},
		"spark-dispatcher":     {Activity: Stopped, Restarts: -1},
		"azkaban-solo":         {Activity: Starting, PID: 9, Restarts: -1, Enabled: true},
		"broken":               {Activity: Missing, Restarts: -1},
		"hadoop-hdfs-namenode": {Activity: Running, PID: 4711, Restarts: -1},
		"zookeeper-server":     {Activity: Running, PID: 815, Restarts: -1},
		"hadoop-hdfs-zkfc":     {Activity: Stopped, Restarts: -1, Enabled: true},
		"hadoop-hdfs-datanode": {Activity: Failed, Restarts: -1},
		"absent":               {Activity: Missing, Restarts: -1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if _, err := u.States(t.Context(), []string{"odd"}); err == nil || !strings.Contains(err.Error(), "state of odd: service odd status: exit status 64: no such action") {
		t.Errorf("a script without a status: %v", err)
	}
}

// TestUpstartStartsAndStops: what is asked of upstart and of the scripts, in order.
func TestUpstartStartsAndStops(t *testing.T) {
	u, asked := upstartMachine(t)
	expect := func(what string, err error, want ...string) {
		t.Helper()
		got := asked()
		for i := len(got) - 1; i >= 0; i-- {
			if strings.Contains(got[i], "status") {
				got = append(got[:i], got[i+1:]...)
			}
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v; asked (-want +got):\n%s", what, err, diff)
		}
	}
	ctx := t.Context()
	expect("reload", u.Reload(ctx, []RenderedService{{}}), "initctl reload-configuration")
	expect("start", u.Start(ctx, []string{"mesos-master", "spark-dispatcher", "hadoop-hdfs-namenode", "hadoop-hdfs-zkfc"}),
		"initctl start --no-wait spark-dispatcher", "service hadoop-hdfs-zkfc start")
	expect("restart a job", u.Restart(ctx, "mesos-master"), "initctl stop mesos-master", "initctl start --no-wait mesos-master")
	expect("restart a job that is down", u.Restart(ctx, "spark-dispatcher"), "initctl start --no-wait spark-dispatcher")
	expect("restart a script's service", u.Restart(ctx, "zookeeper-server"), "service zookeeper-server restart")
	expect("stop", u.Stop(ctx, []string{"mesos-master", "marathon", "spark-dispatcher", "hadoop-hdfs-namenode", "hadoop-hdfs-zkfc", "absent"}),
		"initctl stop mesos-master", "initctl stop marathon", "service hadoop-hdfs-namenode stop", "update-rc.d hadoop-hdfs-zkfc disable")
	if text, err := os.ReadFile(filepath.Join(u.Root, "etc/init/marathon.override")); err != nil || string(text) != "manual\nstart on runlevel [2345]\nmanual\n" {
		t.Errorf("override of a job that would have started: %q, %v", text, err)
	}
	if states, err := u.States(ctx, []string{"marathon"}); err != nil || states["marathon"].Enabled {
		t.Errorf("after Stop: %+v, %v", states, err)
	}
}

func TestBootsWithUpstart(t *testing.T) {
	for _, c := range []struct {
		init, control string
		want          bool
	}{{"/sbin/init", "sbin/initctl", true}, {"/sbin/init", "", false}, {"/usr/bin/forge-node", "sbin/initctl", false}, {"", "sbin/initctl", false}} {
		root := t.TempDir()
		for _, dir := range []string{"proc/1", "sbin"} {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if c.init != "" {
			if err := os.Symlink(c.init, filepath.Join(root, "proc/1/exe")); err != nil {
				t.Fatal(err)
			}
		}
		if c.control != "" {
			if err := os.WriteFile(filepath.Join(root, c.control), nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if got := bootsWithUpstart(root); got != c.want {
			t.Errorf("init %q, control program %q: %v", c.init, c.control, got)
		}
	}
}

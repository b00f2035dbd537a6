package node

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/event"
)

// mortal is a machine that can be killed and rebooted, as all that it is lies on
// disk: a blank data disk, a staged step that makes one name directory there and
// one beside it, a fixed file, and services.
type mortal struct{ *disks }

func newMortal(t *testing.T) *mortal {
	m := &mortal{newDisks(t)}
	m.replace(inventoryPath, "# name_dirs: [/data/1/dfs/nn, /nfsmount/dfs/nn]", "name_dirs: [/data/1/dfs/nn, /srv/dfs/nn]")
	m.replace("/usr/share/forge/components/hdfs.json", `"name": "hadoop-hdfs-datanode",`, `"name": "hadoop-hdfs-datanode", "init": [{"name": "format",
		"user": "hdfs", "staged": true, "untouched": ["{{ lines .HDFS.NameDirs }}"], "run": ["format", "{{ join (staged .HDFS.NameDirs) \",\" }}"]}],`)
	m.replace("/usr/share/forge/components/hdfs.json", `"format": "hadoop-xml",`, `"format": "hadoop-xml", "fixed": ["/srv/dfs/nn"],`)
	m.Exec = m.run
	m.Supervisor = &diskSupervisor{dir: m.path("/run/supervisor"), told: m.changes}
	return m
}

// run stops, so to say, in the middle of what programs do, and keeps what is on
// the disk apart from what is below its mount point.
func (m *mortal) run(ctx context.Context, as User, argv []string) ([]byte, error) {
	switch argv[0] {
	case "mkfs.ext4":
		m.poke("vdb", 70000, "half a file system")
		m.changes("half of mkfs")
	case "mount":
		if err := syscall.Rename(m.path("/on-the-disk"), m.path("/data/1")); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	case "format":
		for _, dir := range strings.Split(argv[1], ",") {
			m.write(dir+"/current/fsimage", "x")
			m.changes("half of " + dir)
			m.write(dir+"/current/VERSION", "x")
		}
		return nil, nil
	}
	return m.exec(ctx, as, argv)
}

// reboot leaves what a machine has after it: nothing mounted, nothing running, an empty /run.
func (m *mortal) reboot() {
	m.t.Helper()
	if strings.Contains(m.read("/proc/self/mountinfo"), "/data/1") {
		if err := os.Rename(m.path("/data/1"), m.path("/on-the-disk")); err != nil {
			m.t.Fatal(err)
		}
		m.write("/proc/self/mountinfo", "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n")
	}
	if err := os.RemoveAll(m.path("/run")); err != nil {
		m.t.Fatal(err)
	}
}

// diskSupervisor keeps one file for each service that runs, with the number of its starts.
type diskSupervisor struct {
	dir   string
	told  steps
	calls []string
}

func (m *mortal) diskSupervisor() *diskSupervisor { return m.Supervisor.(*diskSupervisor) }

func (s *diskSupervisor) Reload(context.Context, []RenderedService) error {
	return os.MkdirAll(s.dir, 0o755)
}

func (s *diskSupervisor) States(_ context.Context, names []string) (map[string]Process, error) {
	states := map[string]Process{}
	for _, n := range names {
		states[n] = Process{Activity: Stopped}
		if _, err := os.Stat(filepath.Join(s.dir, n)); err == nil {
			states[n] = Process{Activity: Running, PID: 4711}
		}
	}
	return states, nil
}

func (s *diskSupervisor) Start(_ context.Context, names []string) error {
	for _, n := range names {
		if err := os.WriteFile(filepath.Join(s.dir, n), nil, 0o644); err != nil {
			return err
		}
		s.calls = append(s.calls, "start "+n)
		s.told.before("started " + n)
	}
	return nil
}

func (s *diskSupervisor) Restart(_ context.Context, name string) error {
	s.calls = append(s.calls, "restart "+name)
	s.told.before("restarted " + name)
	return nil
}

func (s *diskSupervisor) Stop(context.Context, []string) error { return nil }

const killVariables = "FORGE_TEST_KILL_ROOT FORGE_TEST_KILL_AT"

// A process that applies is killed before one of its changes to the disk, or in
// the middle of a program that it runs; some machines are then rebooted, some
// runs killed once more. A plain run must leave what an undisturbed one leaves.
//
// Continuous integration kills at 24 points, spread over all; FORGE_SOAK_KILLS=N
// kills N times at random points, chosen by FORGE_SOAK_SEED.
func TestApplyKilledAnywhereIsFinishedByTheNext(t *testing.T) {
	root, last, _ := strings.Cut(killVariables, " ")
	if dir := os.Getenv(root); dir != "" {
		applyUntil(t, dir, os.Getenv(last))
	}
	undisturbed := newMortal(t)
	var points []string
	undisturbed.steps = func(what string) { points = append(points, what) }
	undisturbed.mustApply()
	undisturbed.steps = nil
	want := undisturbed.left()
	kills, _ := strconv.Atoi(os.Getenv("FORGE_SOAK_KILLS"))
	seed, _ := strconv.ParseUint(os.Getenv("FORGE_SOAK_SEED"), 10, 64)
	random := rand.New(rand.NewPCG(seed, 0))
	at := func(int) int { return random.IntN(len(points)) }
	if kills == 0 {
		kills = 24
		at = func(i int) int { return i * len(points) / kills }
	}
	for i := range kills {
		m := newMortal(t)
		story := ""
		for _, point := range []int{at(i), random.IntN(len(points))}[:1+i%2] {
			story += m.applyKilled(t, point)
			if i%3 == 0 {
				story += ", reboot, "
				m.reboot()
			}
		}
		if _, err := m.Apply(t.Context(), event.Discard); err != nil {
			t.Fatalf("killed before %s: %v", story, err)
		}
		if diff := cmp.Diff(want, m.left()); diff != "" {
			t.Fatalf("killed before %s (-want +got):\n%s", story, diff)
		}
		before := m.tree()
		m.mustApply()
		if diff := cmp.Diff(before, m.tree()); diff != "" {
			t.Fatalf("killed before %s; then a run with nothing to do changed:\n%s", story, diff)
		}
	}
	t.Logf("%d kills at %d points", kills, len(points))
}

// left is what a run leaves, but for what differs by chance.
func (m *mortal) left() []string {
	all := contentsOf(m.t, m.machine)
	label, err := exec.Command("/usr/sbin/e2label", m.path("/dev/vdb")).Output()
	if err != nil {
		m.t.Fatal(err)
	}
	for i := range all {
		all[i] = strings.ReplaceAll(all[i], m.Root, "")
	}
	return append(slices.DeleteFunc(all, func(line string) bool { return strings.HasPrefix(line, "/dev/vdb ") }), "label "+string(label))
}

// applyKilled applies in another process, which is killed at a point; it tells before what.
func (m *mortal) applyKilled(t *testing.T, point int) string {
	t.Helper()
	root, last, _ := strings.Cut(killVariables, " ")
	cmd := exec.Command(os.Args[0], "-test.run=^TestApplyKilledAnywhereIsFinishedByTheNext$")
	cmd.Env = append(os.Environ(), root+"="+m.Root, fmt.Sprintf("%s=%d", last, point))
	out, err := cmd.Output()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() && string(out) != "the end" {
		t.Fatalf("the process that applies ended with %v: %s", err, out)
	}
	return string(out)
}

// applyUntil applies, and before a change kills its process: nothing of it is run any more.
func applyUntil(t *testing.T, root, last string) {
	m := newMortal(t)
	m.Root, m.Supervisor = root, &diskSupervisor{dir: filepath.Join(root, "run/supervisor"), told: m.changes}
	count, _ := strconv.Atoi(last)
	m.steps = func(what string) {
		if count == 0 {
			fmt.Print(what)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		count--
	}
	if _, err := m.Apply(t.Context(), event.Discard); err != nil {
		t.Fatal(err)
	}
	fmt.Print("the end") // a second run has fewer changes to make
	os.Exit(0)
}

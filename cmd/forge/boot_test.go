package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/image/vm"
	"github.com/mesos-forge/forge/builder/node"
)

// bootTime is what an emulated machine may take on a busy host.
const bootTime = 15 * time.Minute

// TestBoot boots the disks of both roles, side by side: the slave's by BIOS with the command itself, the
// master's by UEFI.
func TestBoot(t *testing.T) {
	t.Parallel()
	needMachine(t)
	slave, _ := builtRole(t)
	master := builtGolden(t)
	// A store for the slave's machine alone: the packages of a QEMU of forge's own are in none of the shared build.
	slave.store, slave.flags = filepath.Join(slave.dir, "machines"), nil
	warmDownloads(t, slave.store)
	t.Run("machines", func(t *testing.T) {
		t.Run("slave", func(t *testing.T) {
			t.Parallel()
			bootSlave(t, slave)
		})
		t.Run("master", func(t *testing.T) {
			t.Parallel()
			bootMaster(t, master)
		})
	})
	keepDownloads(t, slave.store)
}

// bootSlave boots slave1 by BIOS with the command itself, on a disk of 20 GB and with nobody on the
// other end of its network card. QEMU is forge's own, as on a machine that has none.
func bootSlave(t *testing.T, f *forge) {
	out, errs, code := f.run("boot", "--role", "slave", "--inventory", filepath.Join(f.checkout, "cluster.example.yaml"),
		"--disk-size", "20G", "--own-qemu", "--output", "json", "--timeout", bootTime.String())
	var r builder.BootResult
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 {
		t.Errorf("forge boot: exit status %d, %v\n%s", code, err, errs)
		return
	}
	s := r.Status
	if s.Level != node.LevelConfigured || s.Node != "slave1" || s.Role != "slave" || s.Source != "/etc/forge/node.yaml" || len(s.Errors)+len(s.Warnings) > 0 {
		t.Errorf("status = %+v", s)
	}
	type service struct {
		User, Waits string
		Listens     []int
		Heap        int
	}
	got := map[string]service{}
	for _, svc := range s.Services {
		one := service{User: svc.User, Heap: svc.HeapMiB, Waits: strings.Join(svc.Waits, ", ")}
		for _, p := range svc.Ports {
			if p.Listening {
				one.Listens = append(one.Listens, p.Number)
			}
		}
		if svc.State != node.Running || !svc.Stable {
			t.Errorf("%s is %s, stable %t", svc.Name, svc.State, svc.Stable)
		}
		got[svc.Name] = one
	}
	ram := r.Facts.Machine.RAM
	want := map[string]service{
		"hadoop-hdfs-datanode":              {User: "hdfs", Waits: "namenode 10.162.2.91:9000", Heap: ram * 15 / 100},
		"hadoop-0.20-mapreduce-tasktracker": {User: "mapred", Waits: "jobtracker 10.162.2.92:9001", Heap: ram * 10 / 100},
		"mesos-slave": {User: "root", Listens: []int{5051}, Waits: "zookeeper 10.162.2.91:2181, zookeeper 10.162.2.92:2181, zookeeper 10.162.2.93:2181, " +
			"mesos-master 10.162.2.91:5050, mesos-master 10.162.2.92:5050, mesos-master 10.162.2.93:5050"},
	}
	for name, w := range want { // heaps are rounded
		if g := got[name]; w.Heap > 0 && g.Heap <= w.Heap && g.Heap > w.Heap-16 {
			w.Heap = g.Heap
			want[name] = w
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	for _, l := range r.Facts.Listening {
		if slices.Contains([]int{2181, 5050, 8080, 50070}, l.Port) {
			t.Errorf("something listens on %s:%d, which belongs to a master", l.Address, l.Port)
		}
	}
	for _, o := range s.Others {
		if o.State != node.Stopped && o.State != node.Missing {
			t.Errorf("%s is %s on a slave", o.Name, o.State)
		}
	}
	// ext4's own tables take some of the 20 GiB.
	if gib := float64(r.Facts.RootBytes) / (1 << 30); gib < 19 || gib > 20 {
		t.Errorf("the root file system has %.1f GiB on a disk of 20", gib)
	}
	if !slices.Contains(r.Facts.Addresses, "10.162.2.94") || len(r.Facts.Errors) > 0 {
		t.Errorf("addresses %v, errors %v", r.Facts.Addresses, r.Facts.Errors)
	}
	if log, err := os.ReadFile(r.SerialLog); err != nil || !strings.Contains(string(log), "reboot: Power down") {
		t.Errorf("the serial log %s does not end with an orderly power off: %v", r.SerialLog, err)
	}
}

// A boot that is cut short says how far it came, and leaves nothing behind.
func TestBootCutShort(t *testing.T) {
	needMachine(t)
	f, _ := builtRole(t)
	f.store, f.flags = filepath.Join(f.dir, "machines"), nil
	args := []string{"boot", "--role", "slave", "--node", "slave3", "--inventory", filepath.Join(f.checkout, "cluster.example.yaml")}
	out, errs, code := f.run(append(args, "--timeout", "8s")...)
	for _, want := range []string{"machine slave3 is not configured after", "the time is over", "the node's agent never answered", "the console's last lines", "serial.log"} {
		if code != 1 || !strings.Contains(errs, want) || out != "" {
			t.Errorf("exit status %d, output %q, error %q; want 1 and %q", code, out, errs, want)
		}
	}
	f.expectNothingLeft()
	f.expectTidy()

	r := f.start(args...)
	r.until("the machine boots", func(events []event.Event) bool {
		return slices.ContainsFunc(events, func(e event.Event) bool { return strings.HasPrefix(e.Message, "slave3 boots by bios") })
	})
	if err := syscall.Kill(-r.cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if out, code := r.wait(); code != 130 || out != "" || r.messages() != interrupted {
		t.Errorf("interrupted: exit status %d, output %q, message %q; want 130, none, %q", code, out, r.messages(), interrupted)
	}
	f.expectNothingLeft()
	f.expectTidy()
}

// Mistakes are refused before anything starts.
func TestBootAndSeedMistakes(t *testing.T) {
	f := newForge(t)
	example := filepath.Join(f.checkout, "cluster.example.yaml")
	key := filepath.Join(f.dir, "id_ed25519")
	if err := os.WriteFile(key, []byte("-----BEGIN OPENSSH PRIVATE KEY-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"boot"}, 2, "exactly one --role"},
		{[]string{"boot", "--role", "slave"}, 1, "make it with: forge build --role slave"},
		{[]string{"boot", "--role", "slav"}, 1, `did you mean "slave"?`},
		{[]string{"boot", "--role", "slave", "--firmware", "efi"}, 2, "want bios or uefi"},
		{[]string{"boot", "--role", "slave", "--level", "in_role"}, 2, "want configured or in-role"},
		{[]string{"boot", "--role", "slave", "--disk-size", "big"}, 2, "--disk-size big: want a size"},
		{[]string{"boot", "--role", "slave", "--shell"}, 2, "--shell needs a terminal"},
		{[]string{"seed"}, 2, "seed needs --node NAME"},
		{[]string{"seed", "--node", "slave1"}, 1, "cluster.yaml does not exist; forge init --to cluster.yaml writes one"},
		{[]string{"seed", "--node", "slvae1", "--inventory", example}, 1, `did you mean "slave1"?`},
		{[]string{"seed", "--node", "slave1", "--inventory", example, "--ssh-key", "/none.pub"}, 1, "/none.pub"},
		{[]string{"seed", "--node", "slave1", "--inventory", example, "--ssh-key", key}, 1, "private key, which must not leave this machine"},
		{[]string{"seed", "--node", "slave1", "--inventory", example, "--ssh-key", "ssh-ed25519 x"}, 1, "not a public key"},
	} {
		out, errs, code := f.run(c.args...)
		if code != c.code || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("forge %s: exit status %d, output %q, error %q; want %d and %q", strings.Join(c.args, " "), code, out, errs, c.code, c.want)
		}
	}
}

func TestSeed(t *testing.T) {
	f := newForge(t)
	out, errs, code := f.run("seed", "--node", "slave2", "--inventory", filepath.Join(f.checkout, "cluster.example.yaml"))
	iso := filepath.Join(f.out, "seeds", "slave2.iso")
	if want := iso + ": node slave2 (10.162.2.95), role slave of cluster lab\n"; code != 0 || !strings.HasPrefix(out, want) {
		t.Fatalf("exit status %d, %q, %s; want 0 and %q", code, out, errs, want)
	}
	fi, err := os.Stat(iso)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the seed has the mode %v, %v; want 0600", fi.Mode(), err)
	}
	data, err := os.ReadFile(iso)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CD001", "cidata", `node: "slave2"`, `- "10.162.2.95/24"`, `via: "10.162.2.1"`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("the seed does not hold %q", want)
		}
	}
}

// needMachine skips, or in CI fails, a test for what hack/test installs.
func needMachine(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("java")
	if err == nil && vm.OnHost(vm.UEFI) {
		return
	}
	missing(t, "QEMU, OVMF or Java")
}

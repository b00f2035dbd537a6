package main_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestOperatorPackage builds with the operator's own package of Mesos: nothing of the stand-in is
// left, nothing that the package enables starts without forge-node, and forge-node configures it.
func TestOperatorPackage(t *testing.T) {
	e := newEngine(t)
	f := builtForge(t)
	name, raw := mesosDeb(t, f.checkout)
	if err := os.Mkdir(f.vendor, 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(content []byte) {
		if err := os.WriteFile(filepath.Join(f.vendor, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(raw[:len(raw)/2])
	for _, command := range []string{"plan", "build"} {
		if out, errs, code := f.run(command, "--role", "slave"); code != 1 || out != "" || !strings.Contains(errs, name+" is no package: ") {
			t.Errorf("forge %s with half a package: exit status %d, output %q, error %q", command, code, out, errs)
		}
	}
	if _, err := os.Stat(f.out); !os.IsNotExist(err) {
		t.Errorf("a refused package left an output folder: %v", err)
	}
	put(raw)
	role := f.build().Roles[0]
	if len(role.StandIns) > 0 || !slices.Contains(role.Debs, filepath.Join("debs", name)) {
		t.Errorf("stand-ins %q, packages %q; want none, and %s", role.StandIns, role.Debs, name)
	}
	if got, err := os.ReadFile(filepath.Join(f.out, "debs", name)); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("the operator's package is not what lies in out/debs: %v", err)
	}
	noStandIns(t, f.out)
	checkPinned(t, f, role.Digest, put, raw)
	for _, args := range [][]string{{"inspect"}, {"inspect", "--raw"}} {
		out, err := exec.Command("skopeo", append(args, "oci:"+filepath.Join(f.out, role.Image))...).Output()
		if err != nil || bytes.Contains(out, []byte("mesos-forge.standins")) {
			t.Errorf("skopeo %q: %v\n%s", args, err, out)
		}
	}

	b := slave1(t, e, f, e.load(f, "slave", "forge-test/slave:operator"))
	b.start()
	s := configured(t, b)
	if len(s.Standins) > 0 || len(s.Errors) > 0 {
		t.Errorf("status: stand-ins %q, errors %q", s.Standins, s.Errors)
	}
	if log := b.log(); !strings.Contains(log, "test input mesos-slave, not Apache Mesos: --log_dir=/var/log/mesos --master=zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos ") || strings.Contains(log, "test input mesos-master") {
		t.Errorf("the package's slave was not started with the inventory's master, or its master was started:\n%s", log)
	}
	if got := b.must("dpkg-query", "-W", "-f", "${Version} ${db:Status-Status}", "mesos"); got != "1.11.0-2.0.1.debian12 installed" {
		t.Errorf("dpkg says: mesos %s", got)
	}
	units := b.must("find", "/etc/systemd", "/usr/lib/systemd", "-name", "mesos-*.service")
	if want := "/usr/lib/systemd/system/mesos-"; strings.Count(units, want) != 2 || strings.Count(units, "\n") != 2 {
		t.Errorf("units of the package, which must not be enabled:\n%s", units)
	}
	if _, _, code := b.run("grep", "-rqF", "~standin", "/var/lib/dpkg/status", "/usr/share/forge", "/etc"); code != 1 {
		t.Errorf("grep for ~standin in the image: exit status %d, want 1", code)
	}
	b.stop(120)
	if code := b.inspect().State.ExitCode; code != 0 {
		t.Errorf("exit status %d, want 0", code)
	}
}

// checkPinned: the lock of a build has the operator's package, and a build from that lock makes the
// same image and takes no other.
func checkPinned(t *testing.T, f *forge, digest string, put func([]byte), raw []byte) {
	t.Helper()
	lock := filepath.Join(f.dir, "first.lock")
	if err := os.Rename(filepath.Join(f.out, "slave", "forge.lock"), lock); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := f.run("build", "--role", "slave", "--lock", lock); code != 0 || !strings.Contains(out, digest) {
		t.Errorf("a build from its own lock: exit status %d, image not %s\n%s%s", code, digest, out, errs)
	}
	if again, err := os.ReadFile(filepath.Join(f.out, "slave", "forge.lock")); err != nil || !bytes.Contains(again, []byte("mesos/mesos-deb")) {
		t.Errorf("the lock has no mesos/mesos-deb: %v\n%s", err, again)
	}
	put(append(slices.Clone(raw), 0)) // another one that dpkg reads
	if _, errs, code := f.run("plan", "--role", "slave", "--lock", lock); code != 1 || !strings.Contains(errs, "mesos/mesos-deb") || !strings.Contains(errs, "sha256:") {
		t.Errorf("a plan from the lock with another package: exit status %d, %s", code, errs)
	}
	put(raw)
}

// noStandIns reads all results but archives and disks.
func noStandIns(t *testing.T, out string) {
	t.Helper()
	read := 0
	err := filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Size() > 4<<20 {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		read++
		if strings.Contains(path, "~standin") || bytes.Contains(text, []byte("~standin")) {
			t.Errorf("%s speaks of a stand-in", path)
		}
		return nil
	})
	if err != nil || read < 5 {
		t.Errorf("%d results read, %v", read, err)
	}
}

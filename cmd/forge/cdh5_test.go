package main_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder"
)

var update = flag.Bool("update", false, "write the golden files")

// cdh5Packages makes the packages of the stack cdh5, of both roles, without a network.
func cdh5Packages(t *testing.T, flags ...string) (*forge, builder.Result) {
	t.Helper()
	f := newForge(t)
	f.flags = []string{"--stack", "cdh5", "--only", "packages"}
	out, errs, code := f.run(append([]string{"build", "--offline", "--output", "json"}, flags...)...)
	if code != 0 {
		t.Fatalf("forge build: exit status %d\n%s", code, errs)
	}
	return f, f.result(out)
}

// TestCDH5Packages holds all packages of cdh5, as they are made where nothing but stand-ins is at hand, to
// golden listings. No Debian release that can be had still has upstart, so nothing of them can be run.
func TestCDH5Packages(t *testing.T) {
	f, res := cdh5Packages(t, "--locked")
	var debs []string
	for _, r := range res.Roles {
		debs = append(debs, r.Debs...)
		want := []string{"forge-mesos-egg", "forge-spark", "mesos"}
		if r.Role == "master" {
			want = []string{"forge-azkaban", "forge-hadoop-archive", "forge-hadoop-mesos", "forge-mesos-egg", "forge-spark", "marathon", "mesos"}
		}
		if got := slices.Sorted(slices.Values(r.StandIns)); !slices.Equal(got, want) {
			t.Errorf("stand-ins of the role %s: %v, want %v", r.Role, got, want)
		}
	}
	slices.Sort(debs)
	debs = slices.Compact(debs)
	seen := map[string]bool{}
	for _, deb := range debs {
		name, _, _ := strings.Cut(filepath.Base(deb), "_")
		golden := filepath.Join("testdata/cdh5", name+".txt")
		seen[name+".txt"] = true
		got := listing(t, filepath.Join(f.out, deb))
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-golden +got; go test ./cmd/forge -run TestCDH5Packages -update rewrites it):\n%s", deb, diff)
		}
	}
	goldens, err := filepath.Glob("testdata/cdh5/*.txt")
	if err != nil || len(goldens) != len(seen) {
		t.Errorf("%d golden files for %d packages, %v", len(goldens), len(seen), err)
	}
	for i := range debs {
		debs[i] = filepath.Join(f.out, debs[i])
	}
	lintDebs(t, debs...)
}

// listing is what dpkg-deb says of a package, without sizes, times and digests.
func listing(t *testing.T, deb string) string {
	t.Helper()
	const script = `set -e
dpkg-deb --field "$1" | grep -v '^Installed-Size:'
echo
dpkg-deb --ctrl-tarfile "$1" | tar --list --file=- --verbose | awk '{print $1, $2, $6}' | sort -k3 | sed 's/^/control: /'
dpkg-deb --ctrl-tarfile "$1" | tar --extract --to-stdout --file=- ./conffiles 2>/dev/null | sed 's/^/conffile: /' || true
echo
dpkg-deb --contents "$1" | awk '{print $1, $2, $6 $7 $8}'
`
	out, err := exec.Command("sh", "-c", script, "sh", deb).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", deb, err, out)
	}
	return string(out)
}

// lintDebs wants no errors of lintian but those that an override takes back, and none without its use.
func lintDebs(t *testing.T, debs ...string) {
	t.Helper()
	if _, err := exec.LookPath("lintian"); err != nil {
		missing(t, err.Error())
	}
	args := []string{"--no-cfg", "--allow-root", "--fail-on", "none", "--tag-display-limit", "0"}
	out, err := exec.Command("lintian", append(args, debs...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("lintian: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "E:") || strings.Contains(line, "unused-override") || strings.Contains(line, "mismatched-override") {
			t.Error(strings.TrimSpace(line))
		}
	}
}

// TestCDH5Installs installs all packages of cdh5 by dpkg in a Debian 12, beside test input that has the
// names and scripts of CDH's packages: nothing is enabled or started, and forge-node renders a node from
// what lies there. No Ubuntu 14.04 can be had here, so this shows the packages and not that system.
func TestCDH5Installs(t *testing.T) {
	f, _ := cdh5Packages(t)
	root := filepath.Join(f.dir, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("tar", "--extract", "--numeric-owner", "--file", plainDebian(t, []string{"hello"}), "--directory", root).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	copyAll(t, filepath.Join(f.out, "debs"), filepath.Join(root, "new"))
	cdhInput(t, f, filepath.Join(root, "new"))
	copyAll(t, "../../cluster.example.yaml", filepath.Join(root, "cluster.yaml"))
	in := func(script string) string {
		t.Helper()
		out, err := exec.Command("chroot", root, "sh", "-ec", script).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		return string(out)
	}
	in(`echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/fast
		printf '#!/bin/sh\necho "$*" >>/asked\nexit 101\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
		dpkg --install /new/*.deb`)
	if got := in(`dpkg-query --show --showformat '${db:Status-Abbrev} ${Package}\n' 'forge-*' mesos marathon cdh | grep -v '^ii' || true`); got != "" {
		t.Errorf("not installed:\n%s", got)
	}
	in(`test -L /etc/init.d/../rc3.d/K01hadoop-hdfs-namenode || ls /etc/rc3.d | grep K..hadoop-hdfs-namenode`) // the package had enabled it
	if got := in(`find /etc/rc*.d -name 'S*' | grep -E 'hadoop|zookeeper|mesos|marathon|spark|azkaban' || true`); got != "" {
		t.Errorf("services that start at boot:\n%s", got)
	}
	checkOverrides(t, root)
	for _, node := range []string{"master1", "slave1"} {
		if got := in(`mkdir -p /etc/forge; cp /cluster.yaml /etc/forge/; forge-node render --node ` + node); !strings.Contains(got, "zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos") {
			t.Errorf("forge-node render --node %s:\n%s", node, got)
		}
	}
	checkMarathonScript(t, root, in)
	in(`dpkg --purge $(dpkg-query --show --showformat '${Package}\n' 'forge-*' mesos marathon cdh)`)
	if got := in(`ls /etc/init 2>/dev/null || true`); got != "" {
		t.Errorf("left after a purge, in /etc/init: %s", got)
	}
	if got := in(`cat /asked`); !strings.Contains(got, "hadoop-hdfs-namenode (start)") {
		t.Errorf("the test input started nothing, so that nothing was held back: %q", got)
	}
}

// checkOverrides wants an override for every service of every role, and a job or script for each.
func checkOverrides(t *testing.T, root string) {
	t.Helper()
	var services []string
	roles, err := filepath.Glob(filepath.Join(root, "usr/share/forge/roles/*.json"))
	if err != nil || len(roles) != 2 {
		t.Fatalf("roles %v, %v", roles, err)
	}
	for _, name := range roles {
		var role struct {
			Services   []string
			InitSystem string `json:"init_system"`
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &role); err != nil || role.InitSystem != "upstart" {
			t.Errorf("%s: %v, init system %q", name, err, role.InitSystem)
		}
		services = append(services, role.Services...)
	}
	if len(services) < 14 {
		t.Errorf("only %d services: %v", len(services), services)
	}
	for _, s := range services {
		if text, err := os.ReadFile(filepath.Join(root, "etc/init", s+".override")); err != nil || string(text) != "manual\n" {
			t.Errorf("override of %s: %q, %v", s, text, err)
		}
		_, job := os.Stat(filepath.Join(root, "etc/init", s+".conf"))
		_, script := os.Stat(filepath.Join(root, "etc/init.d", s))
		if (job == nil) == (script == nil) {
			t.Errorf("%s: a job (%v) and a script (%v); want one of them", s, job, script)
		}
	}
}

// checkMarathonScript: the stand-in's start script makes the flags of the files as the package of 0.6 did.
func checkMarathonScript(t *testing.T, root string, in func(string) string) {
	t.Helper()
	got := in(`cd /usr/local/lib/marathon-standin; mv marathon aside; printf '#!/bin/sh\nprintf "%%s|" "$@"\n' >marathon; chmod 755 marathon
		printf zk://h1:2181,h2:2181/mesos >/etc/mesos/zk
		printf 8080 >/etc/marathon/conf/http_port; : >'/etc/marathon/conf/?disable_ha'
		marathon; echo; printf zk://h1:2181/other >/etc/marathon/conf/zk; marathon
		rm /etc/marathon/conf/*; mv aside marathon`)
	const want = "--zk|zk://h1:2181,h2:2181/marathon|--master|zk://h1:2181,h2:2181/mesos|--disable_ha|--http_port|8080|\n" +
		"--master|zk://h1:2181,h2:2181/mesos|--disable_ha|--http_port|8080|--zk|zk://h1:2181/other|"
	if got != want {
		t.Errorf("flags of Marathon\n%s\nwant\n%s", got, want)
	}
}

// cdhInput makes the test input cdh: one package in the place of all that cdh5's need of Ubuntu and CDH. It
// has their scripts for the services, and enables and starts them as CDH's packages do.
func cdhInput(t *testing.T, f *forge, to string) {
	t.Helper()
	var needs []string
	field := regexp.MustCompile(`(?m)^Depends: (.*)$`)
	debs, err := filepath.Glob(filepath.Join(to, "*.deb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range debs {
		out, err := exec.Command("dpkg-deb", "--field", d).Output()
		if err != nil {
			t.Fatal(err)
		}
		m := field.FindSubmatch(out)
		if m == nil {
			continue
		}
		for _, dep := range strings.Split(string(m[1]), ", ") {
			if !strings.HasPrefix(dep, "forge-") && dep != "mesos" && dep != "marathon" && !slices.Contains(needs, dep) {
				needs = append(needs, dep)
			}
		}
	}
	dir := filepath.Join(f.dir, "cdh")
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	postinst := "#!/bin/sh\nset -e\n"
	for _, n := range needs {
		if strings.HasPrefix(n, "hadoop-hdfs-") || strings.HasSuffix(n, "-jobtracker") || n == "zookeeper-server" {
			write("etc/init.d/"+n, "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: "+n+"\n# Required-Start: $remote_fs\n# Required-Stop: $remote_fs\n# Default-Start: 3 4 5\n# Default-Stop: 0 1 2 6\n# Short-Description: test input\n### END INIT INFO\nexit 0\n", 0o755)
			postinst += "update-rc.d " + n + " defaults\ninvoke-rc.d " + n + " start\n"
		}
	}
	for _, sub := range []string{"etc/hadoop", "etc/zookeeper"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("DEBIAN/postinst", postinst, 0o755)
	write("DEBIAN/control", fmt.Sprintf("Package: cdh\nVersion: 1\nArchitecture: all\nMaintainer: A Test <test@example.invalid>\nProvides: %s\nDescription: test input of forge, not CDH\n", strings.Join(needs, ", ")), 0o644)
	if out, err := exec.Command("dpkg-deb", "--root-owner-group", "--build", dir, filepath.Join(to, "cdh_1_all.deb")).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v\n%s", err, out)
	}
}

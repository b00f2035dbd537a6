package main_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/google/go-cmp/cmp"
)

// plainDebian returns a tar of a Debian 12 as mmdebstrap makes it, with systemd. In /debs lies a
// repository of the packages that it needs to install deps: containers have no network. The host's
// own apt settings name the mirror. $FORGE_TEST_CACHE keeps the tar for the next run.
func plainDebian(t *testing.T, deps []string) string {
	t.Helper()
	for _, program := range []string{"mmdebstrap", "dpkg-scanpackages"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, err.Error())
		}
	}
	path := filepath.Join(testCache(t), fmt.Sprintf("plain-bookworm-%.8x.tar", sha256.Sum256([]byte(strings.Join(deps, " ")))))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	temp := fmt.Sprintf("%s.%d.tar", path, os.Getpid())
	defer os.Remove(temp)
	args := []string{"--variant=minbase", "--mode=root", "--quiet", "--include=systemd",
		"--customize-hook=APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get --quiet --yes --download-only install " + strings.Join(deps, " "),
		`--customize-hook=mkdir "$1/debs" && mv "$1"/var/cache/apt/archives/*.deb "$1/debs" && cd "$1/debs" && dpkg-scanpackages . >Packages`,
		"bookworm", temp}
	for _, pattern := range []string{"/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, files...)
	}
	if out, err := exec.Command("mmdebstrap", args...).CombinedOutput(); err != nil {
		t.Fatalf("mmdebstrap: %v\n%s", err, out)
	}
	if err := os.Rename(temp, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// debianDeps are the packages of Debian that forge's packages depend on.
func debianDeps(t *testing.T, dir string, debs []string) []string {
	t.Helper()
	var ours, deps []string
	for _, d := range debs {
		out, err := exec.Command("dpkg-deb", "--show", "--showformat", "${Package}\n${Depends}", filepath.Join(dir, d)).Output()
		if err != nil {
			t.Fatal(err)
		}
		name, depends, _ := strings.Cut(string(out), "\n")
		ours = append(ours, name)
		for _, dep := range strings.Split(depends, ",") {
			if f := strings.Fields(dep); len(f) > 0 {
				deps = append(deps, f[0])
			}
		}
	}
	slices.Sort(deps)
	return slices.DeleteFunc(slices.Compact(deps), func(d string) bool { return slices.Contains(ours, d) })
}

// imported makes an image of a tar.
func (e *engine) imported(tar, tag string) string {
	e.t.Helper()
	f, err := os.Open(tar)
	if err != nil {
		e.t.Fatal(err)
	}
	defer f.Close()
	answer, err := e.api.ImageImport(e.t.Context(), image.ImportSource{Source: f, SourceName: "-"}, tag, image.ImportOptions{})
	if err != nil {
		e.t.Fatal(err)
	}
	defer answer.Close()
	if text, err := io.ReadAll(answer); err != nil || !strings.Contains(string(text), "sha256:") {
		e.t.Fatalf("import %s: %v\n%s", tar, err, text)
	}
	e.removeLater(tag)
	return tag
}

// watchSystemd makes maintainer scripts believe that systemd runs, and notes what they ask of it.
const watchSystemd = `set -e
mkdir -p /run/systemd/system
mv /usr/bin/systemctl /usr/bin/systemctl.real
cat >/usr/bin/systemctl <<'END'
#!/bin/sh
echo "systemctl $*" >>/asked
case " $* " in
*" enable "* | *" disable "* | *" is-enabled "* | *" preset "*) SYSTEMD_OFFLINE=1 exec /usr/bin/systemctl.real "$@" ;;
esac
END
chmod +x /usr/bin/systemctl
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/fast
echo "deb [trusted=yes] file:/debs ./" >/etc/apt/sources.list
rm -f /etc/apt/sources.list.d/*
apt-get -qq update`

// addRepository gives a client what forge publish says that it needs.
const addRepository = `set -e
mkdir -p /etc/apt/keyrings
cp /forge/dists/bookworm/archive-key.asc /etc/apt/keyrings/forge.asc
printf %s "$1" >/etc/apt/sources.list.d/forge.sources
apt-get -qq update`

// TestPlainDebian publishes the role's packages, installs them with apt on a plain Debian 12 that knows nothing but
// the repository and its key, has forge-node configure it, and purges them: only data stays.
func TestPlainDebian(t *testing.T) {
	e := newEngine(t)
	f, res := builtRole(t)
	out := f.out
	repository, published := f.publish()
	img := e.imported(plainDebian(t, debianDeps(t, out, res.Roles[0].Debs)), "forge-test/debian:12")
	b := e.create(container.Config{Image: img, Hostname: "slave1", Cmd: []string{"sleep", "infinity"},
		Env: []string{"FORGE_NODE=slave1", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}},
		container.HostConfig{Init: new(bool), Binds: []string{repository + ":/forge:ro"}})
	b.start()
	b.must("sh", "-c", watchSystemd)
	if said := b.must("sh", "-c", addRepository, "sh", published.Sources); strings.Contains(said, "W:") {
		t.Errorf("apt-get update:\n%s", said)
	}
	fresh := b.files()

	install := "apt-get -y install forge-role-slave"
	b.must("sh", "-c", install)
	names := checkInstalled(b)
	purge := append([]string{"apt-get", "-y", "purge"}, names...)
	b.must(purge...)
	purged := b.files()
	for _, path := range added(fresh, purged) {
		for _, word := range []string{"forge", "hadoop", "hdfs", "mapred", "mesos", "spark"} {
			if strings.Contains(path, word) {
				t.Errorf("left after purge of packages that were not used: %s", path)
			}
		}
	}

	b.must("sh", "-c", install)
	useAndCheck(b, filepath.Join(f.checkout, "cluster.example.yaml"))
	b.must(purge...)
	want := []string{"/data", "/data/1", "/data/1/dfs", "/data/1/dfs/dn", "/data/1/dfs/dn/blk_1", "/var/lib/hadoop", "/var/lib/hadoop-hdfs", "/var/lib/hadoop-hdfs/dfs",
		"/var/lib/hadoop-mapred", "/var/lib/hadoop-mapred/local", "/var/lib/hadoop/tmp", "/var/lib/mesos", "/var/lib/mesos/meta", "/var/lib/spark"}
	if diff := cmp.Diff(want, added(purged, b.files())); diff != "" {
		t.Errorf("left after purge of packages that were used, data alone should be (-want +got):\n%s", diff)
	}
	if asked := b.must("cat", "/asked"); !strings.Contains(asked, "daemon-reload") || strings.Contains(asked, "start") {
		t.Errorf("the packages asked systemd for a start, or did not tell it of their units:\n%s", asked)
	}
}

// checkInstalled looks at the fresh installation and returns the names of the packages.
func checkInstalled(b *box) []string {
	b.t.Helper()
	names := strings.Fields(b.must("dpkg-query", "-W", "-f", "${Package} ", "forge-*", "mesos"))
	if len(names) != 8 {
		b.t.Errorf("packages of forge: %q; want 8", names)
	}
	if bad := b.must("dpkg", "--audit") + b.must(append([]string{"dpkg", "--verify"}, names...)...); bad != "" {
		b.t.Errorf("dpkg finds faults:\n%s", bad)
	}
	links := b.must("find", "/etc/systemd/system", "-type", "l", "-regex", `.*/\(forge\|hadoop\|mesos\).*`)
	if links != "/etc/systemd/system/multi-user.target.wants/forge-node.service\n" {
		b.t.Errorf("enabled units:\n%s", links)
	}
	if got := b.must("getent", "passwd", "hdfs", "mapred"); !strings.Contains(got, "hdfs:x:781:781:") || !strings.Contains(got, "mapred:x:782:782:") {
		b.t.Errorf("users:\n%s", got)
	}
	return names
}

// useAndCheck has forge-node configure the machine, which has no supervisor that it could start
// services with, and lays down data and logs as services do.
func useAndCheck(b *box, inventory string) {
	b.t.Helper()
	text, err := os.ReadFile(inventory)
	if err != nil {
		b.t.Fatal(err)
	}
	b.must("sh", "-c", "rm -r /run/systemd/system; mkdir -p /etc/forge; printf '%s' \"$1\" >/etc/forge/cluster.yaml", "sh", string(text))
	if _, errs, code := b.run("forge-node", "apply"); code != 1 || !strings.Contains(errs, "neither systemd, upstart nor runit is here") {
		b.t.Errorf("forge-node apply: exit status %d, %s", code, errs)
	}
	if got := b.must("hadoop", "version"); !strings.Contains(got, "Hadoop 1.2.1") {
		b.t.Errorf("hadoop version: %s", got)
	}
	b.must("sh", "-c", `set -e; test "$(cat /etc/mesos/zk)" = zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos
echo block >/data/1/dfs/dn/blk_1; echo agent >/var/lib/mesos/meta; mkdir /run/systemd/system
for log in hadoop-hdfs hadoop-0.20-mapreduce mesos; do echo log >/var/log/$log/x.log; done`)
}

// files lists the container's files but those that dpkg, apt and the test itself keep.
func (b *box) files() []string {
	b.t.Helper()
	return strings.Fields(b.must("find", "/", "-xdev", "(", "-path", "/var/lib/dpkg", "-o", "-path", "/var/lib/apt", "-o", "-path", "/var/cache/apt",
		"-o", "-path", "/var/log/apt", "-o", "-path", "/forge", "-o", "-path", "/asked", ")", "-prune", "-o", "-print"))
}

// added are the elements of after that are not in before, sorted.
func added(before, after []string) []string {
	seen := map[string]bool{}
	for _, name := range before {
		seen[name] = true
	}
	out := slices.DeleteFunc(slices.Clone(after), func(name string) bool { return seen[name] })
	slices.Sort(out)
	return out
}

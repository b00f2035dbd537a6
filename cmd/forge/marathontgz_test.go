package main_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// marathonTGZ is test input in the place of a release archive of Marathon: its layout, and in the place of the
// program a script that prints who runs it, its arguments and what it reads of the environment.
func marathonTGZ(t *testing.T, top, launcher string, jars ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	add := func(name string, mode int64, text string) {
		t.Helper()
		if err := w.WriteHeader(&tar.Header{Name: top + "/" + name, Mode: mode, Size: int64(len(text)), Typeflag: tar.TypeReg, ModTime: time.Unix(1_500_000_000, 0), Uname: "builder", Uid: 1000}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	add(launcher, 0o775, "#!/bin/sh\nprintf '%s|' \"$(id -un)\" \"$@\"\necho\nenv | grep -E '^(MARATHON|MESOS)_' | sort\n")
	add("LICENSE", 0o664, "test input of forge, not Marathon\n")
	for _, jar := range jars {
		add(jar, 0o664, "test input of forge, not Marathon\n")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestMarathonRelease makes the package marathon of release archives of both ages, installs it with what it needs
// of forge's packages in a Debian 12, and starts it as the package's job or unit would, with what forge-node renders.
func TestMarathonRelease(t *testing.T) {
	for _, tt := range []struct {
		stack, version string
		tgz            []byte
		contents       []string // files and links of the package, with modes and owners
		start, want    string
	}{
		{stack: "bookworm", version: "1.5.11",
			tgz: marathonTGZ(t, "marathon-1.5.11", "bin/marathon", "lib/mesosphere.marathon.marathon-1.5.11.jar", "lib/com.typesafe.akka.akka-actor_2.11-2.4.18.jar"),
			contents: []string{"-rw-r--r-- root/root ./etc/default/marathon", "-rwxr-xr-x root/root ./usr/bin/marathon", "-rw-r--r-- root/root ./usr/lib/systemd/system/marathon.service",
				"-rw-r--r-- root/root ./usr/lib/sysusers.d/marathon.conf", "-rw-r--r-- root/root ./usr/share/marathon/LICENSE", "-rwxr-xr-x root/root ./usr/share/marathon/bin/marathon",
				"-rw-r--r-- root/root ./usr/share/marathon/lib/com.typesafe.akka.akka-actor_2.11-2.4.18.jar", "-rw-r--r-- root/root ./usr/share/marathon/lib/mesosphere.marathon.marathon-1.5.11.jar"},
			start: `set -a; . /etc/default/marathon; unit=/usr/lib/systemd/system/marathon.service
				exec setpriv --reuid $(sed -n 's/^User=//p' $unit) --regid $(sed -n 's/^Group=//p' $unit) --init-groups $(sed -n 's/^ExecStart=//p' $unit)`,
			want: "marathon|\nMARATHON_HOSTNAME=master1\nMARATHON_HTTP_PORT=8080\nMARATHON_MASTER=zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos\n" +
				"MARATHON_ZK=zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/marathon\nMESOS_NATIVE_JAVA_LIBRARY=/usr/lib/forge/libmesos.so\n"},
		{stack: "cdh5", version: "0.6.1", tgz: marathonTGZ(t, "marathon-0.6.1", "bin/start", "target/scala-2.10/marathon-assembly-0.6.1.jar"),
			contents: []string{"-rw-r--r-- root/root ./etc/init/marathon.conf", "-rwxr-xr-x root/root ./usr/local/bin/marathon", "-rw-r--r-- root/root ./usr/share/marathon/LICENSE",
				"-rwxr-xr-x root/root ./usr/share/marathon/bin/start", "-rw-r--r-- root/root ./usr/share/marathon/target/scala-2.10/marathon-assembly-0.6.1.jar"},
			start: `exec sh -c "$(sed -n 's/^exec //p' /etc/init/marathon.conf)"`,
			want: "root|--zk|zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/marathon|--master|zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos|--hostname|master1|--http_port|8080|\n" +
				"MESOS_NATIVE_JAVA_LIBRARY=/usr/lib/forge/libmesos.so\nMESOS_NATIVE_LIBRARY=/usr/lib/forge/libmesos.so\n"},
	} {
		t.Run(tt.stack, func(t *testing.T) {
			f := newForge(t) // all that cdh5 needs is stood in for
			if tt.stack == "bookworm" {
				f = builtForge(t)
			}
			f.flags = []string{"--stack", tt.stack}
			f.smallMaster(tt.stack)
			name := "marathon-" + tt.version + ".tgz"
			f.supply(name, tt.tgz)
			out, errs, code := f.run("build", "--only", "packages", "--offline", "--role", "master", "--output", "json")
			if code != 0 {
				t.Fatalf("forge build: exit status %d\n%s", code, errs)
			}
			role := f.result(out).Roles[0]
			deb := "debs/marathon_" + tt.version + "-0forge1_all.deb"
			if !slices.Contains(role.Debs, deb) || slices.Contains(role.StandIns, "marathon") {
				t.Fatalf("packages %v, stand-ins %v; want %s", role.Debs, role.StandIns, deb)
			}
			if lock, err := os.ReadFile(filepath.Join(f.out, role.Lock)); err != nil || !strings.Contains(string(lock), name) {
				t.Errorf("the lock does not name %s: %v", name, err)
			}
			checkContents(t, filepath.Join(f.out, deb), tt.contents)
			lintDebs(t, filepath.Join(f.out, deb))
			if got := f.startMarathon(role.Debs, tt.start); got != tt.want {
				t.Errorf("Marathon was started so:\n%s\nwant\n%s", got, tt.want)
			}
			// The bytes depend on the archive and the recipe alone.
			again, errs, code := f.run("build", "--only", "packages", "--offline", "--role", "master", "--output", "json", "--lock", filepath.Join(f.out, role.Lock))
			if code != 0 || !slices.Equal(f.result(again).Roles[0].Debs, role.Debs) {
				t.Errorf("a build from its own lock: exit status %d\n%s%s", code, again, errs)
			}
		})
	}
}

// smallMaster leaves the role master nothing but Marathon and what it needs.
func (f *forge) smallMaster(stack string) {
	f.t.Helper()
	const role = `name: master
summary: role of a test
revision: 99
components: [node, java, hadoop, mesos, marathon]
services: [marathon]
package: {section: metapackages}
changelog:
  - {version: "1", revision: 99, date: "2025-11-25", changes: ["For a test."]}
`
	if err := os.WriteFile(filepath.Join(f.checkout, "recipes", stack, "roles/master.yaml"), []byte(role), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// supply puts a file into the operator's folder.
func (f *forge) supply(name string, content []byte) {
	f.t.Helper()
	if err := os.MkdirAll(f.vendor, 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.vendor, name), content, 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// checkContents compares a package's files outside of /usr/share/doc and of lintian's.
func checkContents(t *testing.T, deb string, want []string) {
	t.Helper()
	const script = `dpkg-deb --contents "$1" | awk '$1 !~ /^d/ && $6 !~ /^.\/usr\/share\/(doc|lintian)\// {print $1, $2, $6 $7 $8}' | LC_ALL=C sort -k3`
	out, err := exec.Command("sh", "-c", script, "sh", deb).Output()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Join(want, "\n")+"\n", string(out)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", filepath.Base(deb), diff)
	}
}

// startMarathon installs the packages in a Debian 12 of their own, without what they need of other archives, renders
// the node master1 there and returns what a script prints that starts Marathon.
func (f *forge) startMarathon(debs []string, script string) string {
	f.t.Helper()
	root := filepath.Join(f.dir, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		f.t.Fatal(err)
	}
	if out, err := exec.Command("tar", "--extract", "--numeric-owner", "--file", plainDebian(f.t, []string{"hello"}), "--directory", root).CombinedOutput(); err != nil {
		f.t.Fatalf("tar: %v\n%s", err, out)
	}
	if err := os.Mkdir(filepath.Join(root, "new"), 0o755); err != nil {
		f.t.Fatal(err)
	}
	for _, d := range debs {
		for _, name := range []string{"marathon", "forge-marathon", "mesos", "forge-mesos", "forge-hadoop", "forge-node", "forge-role-master"} {
			if strings.HasPrefix(filepath.Base(d), name+"_") {
				copyAll(f.t, filepath.Join(f.out, d), filepath.Join(root, "new", filepath.Base(d)))
			}
		}
	}
	copyAll(f.t, "../../cluster.example.yaml", filepath.Join(root, "cluster.yaml"))
	in := func(script string) string {
		f.t.Helper()
		out, err := exec.Command("chroot", root, "sh", "-ec", script).CombinedOutput()
		if err != nil {
			f.t.Fatalf("%s: %v\n%s", script, err, out)
		}
		return string(out)
	}
	in(`echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/fast
		printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
		dpkg --install --force-depends /new/*.deb
		mkdir -p /etc/forge; cp /cluster.yaml /etc/forge/`)
	in(`forge-node render --node master1 --to /rendered; cp -a /rendered/etc/. /etc/`)
	got := in(script)
	in(`dpkg --purge --force-depends forge-role-master forge-marathon marathon; ! test -e /usr/share/marathon`)
	return got
}

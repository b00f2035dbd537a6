package main_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goreleaser/nfpm/v2"
	nfpmdeb "github.com/goreleaser/nfpm/v2/deb"
	nfpmfiles "github.com/goreleaser/nfpm/v2/files"
)

// mesosDeb is test input in the place of the package that an operator has: the layout of
// Mesosphere's packages of 1.x (paths, conffiles, units below /lib, both services enabled and
// started by the postinst), with scripts for daemons that print their arguments.
func mesosDeb(t *testing.T, checkout string) (name string, raw []byte) {
	t.Helper()
	const version = "1.11.0-2.0.1.debian12"
	dir, overlay := t.TempDir(), filepath.Join(checkout, "overlays/mesos-standin")
	own := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	daemon := own("daemon", `#!/bin/sh
echo "test input $(basename "$0"), not Apache Mesos: $*"
trap 'exit 0' TERM
sleep infinity &
wait
`)
	postinst := own("postinst", `#!/bin/sh
set -e
for unit in mesos-master.service mesos-slave.service; do
	deb-systemd-helper enable $unit
	test -L /etc/systemd/system/multi-user.target.wants/$unit
	deb-systemd-invoke start $unit || true
done
`)
	info := &nfpm.Info{Name: "mesos", Version: version, Arch: "amd64", Platform: "linux", VersionSchema: "none",
		Maintainer: "A Test <test@example.invalid>", Description: "test input of forge, not Apache Mesos", MTime: time.Unix(1_700_000_000, 0)}
	info.Depends = []string{"java-runtime-headless"}
	info.Scripts.PostInstall = postinst
	add := func(source, path, kind string, mode os.FileMode) {
		info.Contents = append(info.Contents, &nfpmfiles.Content{Source: source, Destination: path, Type: kind, FileInfo: &nfpmfiles.ContentFileInfo{Mode: mode, MTime: info.MTime}})
	}
	for _, path := range []string{"/usr/sbin/mesos-master", "/usr/sbin/mesos-slave", "/usr/sbin/mesos-agent"} {
		add(daemon, path, nfpmfiles.TypeFile, 0o755)
	}
	add(daemon, "/usr/lib/libmesos-1.11.0.so", nfpmfiles.TypeFile, 0o755)
	add("libmesos-1.11.0.so", "/usr/lib/libmesos.so", nfpmfiles.TypeSymlink, 0)
	add("/usr/lib/libmesos.so", "/usr/local/lib/libmesos.so", nfpmfiles.TypeSymlink, 0)
	// The wrapper and what it reads have the same rules and paths in the stand-in.
	add(filepath.Join(overlay, "usr/bin/mesos-init-wrapper"), "/usr/bin/mesos-init-wrapper", nfpmfiles.TypeFile, 0o755)
	for _, path := range []string{"/etc/mesos/zk", "/etc/mesos-master/quorum", "/etc/mesos-master/work_dir", "/etc/default/mesos", "/etc/default/mesos-master", "/etc/default/mesos-slave"} {
		add(filepath.Join(overlay, path), path, nfpmfiles.TypeConfig, 0o644)
	}
	for _, unit := range []string{"mesos-master", "mesos-slave"} {
		text, err := os.ReadFile(filepath.Join(overlay, "usr/lib/systemd/system", unit+".service"))
		if err != nil {
			t.Fatal(err)
		}
		add(own(unit, string(bytes.Replace(text, []byte(" (forge stand-in)"), nil, 1))), "/lib/systemd/system/"+unit+".service", nfpmfiles.TypeFile, 0o644)
	}
	for _, path := range []string{"/etc/mesos-slave", "/var/lib/mesos", "/var/log/mesos"} {
		add("", path, nfpmfiles.TypeDir, 0o755)
	}
	var b bytes.Buffer
	if err := nfpmdeb.Default.Package(info, &b); err != nil {
		t.Fatal(err)
	}
	return "mesos_" + version + "_amd64.deb", b.Bytes()
}

package builder

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/goreleaser/nfpm/v2"
	nfpmdeb "github.com/goreleaser/nfpm/v2/deb"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/source/apt"
	"github.com/mesos-forge/forge/builder/step"
)

// testArchive writes an apt archive, signed, in a folder, and returns it as a mirror.
type testArchive struct {
	t           *testing.T
	dir, origin string
	key         *openpgp.Entity
	suites      []string
	component   string
	packages    map[string]string // version by name
	depends     map[string]string
}

func (a testArchive) mirror() apt.Mirror {
	a.t.Helper()
	var index bytes.Buffer
	for _, name := range sortedNames(a.packages) {
		version := a.packages[name]
		var b bytes.Buffer
		info := &nfpm.Info{Name: name, Version: version, Arch: "amd64", Platform: "linux", VersionSchema: "none", Section: "misc",
			Maintainer: "A Test <test@example.invalid>", Description: "test input", MTime: time.Unix(1_400_000_000, 0)}
		if d := a.depends[name]; d != "" {
			info.Depends = []string{d}
		}
		if err := nfpmdeb.Default.Package(info, &b); err != nil {
			a.t.Fatal(err)
		}
		pool := fmt.Sprintf("pool/%s/%s_%s_amd64.deb", a.component, name, version)
		a.write(pool, b.Bytes())
		essential := ""
		if name == "base-files" {
			essential = "Essential: yes\n"
		}
		depends := ""
		if d := a.depends[name]; d != "" {
			depends = "Depends: " + d + "\n"
		}
		fmt.Fprintf(&index, "Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: A Test <test@example.invalid>\nDescription: test input\n%s%sFilename: %s\nSize: %d\nSHA256: %x\n\n",
			name, version, essential, depends, pool, b.Len(), sha256.Sum256(b.Bytes()))
	}
	for _, suite := range a.suites {
		packages := index.Bytes()
		if suite != a.suites[0] { // updates and security have nothing
			packages = nil
		}
		name := a.component + "/binary-amd64/Packages"
		a.write("dists/"+suite+"/"+name, packages)
		release := fmt.Sprintf("Origin: %s\nLabel: %s\nSuite: %s\nCodename: %s\nDate: Thu, 08 May 2014 14:19:09 UTC\nArchitectures: amd64\nComponents: %s\nSHA256:\n %x %d %s\n",
			a.origin, a.origin, suite, suite, a.component, sha256.Sum256(packages), len(packages), name)
		var b bytes.Buffer
		w, err := clearsign.Encode(&b, a.key.PrivateKey, nil)
		if err == nil {
			_, err = w.Write([]byte(release))
		}
		if err != nil || w.Close() != nil {
			a.t.Fatal(err)
		}
		a.write("dists/"+suite+"/InRelease", b.Bytes())
	}
	var ring bytes.Buffer
	if err := a.key.Serialize(&ring); err != nil {
		a.t.Fatal(err)
	}
	a.write("keyring.gpg", ring.Bytes())
	return apt.Mirror{Main: "file:" + a.dir, Keyring: filepath.Join(a.dir, "keyring.gpg")}
}

func (a testArchive) write(name string, b []byte) {
	a.t.Helper()
	name = filepath.Join(a.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o644); err != nil {
		a.t.Fatal(err)
	}
}

// trusty are archives with the names, suites and origins of Ubuntu 14.04's and CDH's, and with empty packages.
func trusty(t *testing.T, stack *recipe.Stack) (ubuntu, cdh testArchive) {
	t.Helper()
	key, err := openpgp.NewEntity("archive", "test", "archive@example.invalid", &packet.Config{RSABits: 2048})
	if err != nil {
		t.Fatal(err)
	}
	ubuntu = testArchive{t: t, dir: filepath.Join(t.TempDir(), "ubuntu"), origin: "Ubuntu", key: key, component: "main", suites: stack.Apt.Suites,
		packages: map[string]string{"base-files": "7.2ubuntu5", "zookeeper": "3.4.5+dfsg-1"}}
	cdh = testArchive{t: t, dir: filepath.Join(t.TempDir(), "cdh"), origin: "Cloudera", key: key, component: "contrib", suites: stack.Apt.More[0].Suites,
		packages: map[string]string{}, depends: map[string]string{"hadoop": "zookeeper (>= 3.4.0)", "zookeeper-server": "zookeeper"}}
	for _, p := range stack.Rootfs.Packages {
		ubuntu.packages[p] = "1-1"
	}
	for _, c := range stack.Components {
		for _, p := range c.Debian {
			if strings.HasPrefix(p, "hadoop") || strings.HasPrefix(p, "zookeeper") {
				cdh.packages[p] = "2.3.0+cdh5.1.2+100-1.cdh5.1.2.p0.13~trusty-cdh5.1.2"
			} else {
				ubuntu.packages[p] = "1-1"
			}
		}
	}
	cdh.packages["zookeeper"] = "3.4.5+cdh5.1.2+28-1.cdh5.1.2.p0.13~trusty-cdh5.1.2"
	stack.Apt.Components = []string{"main"}
	return ubuntu, cdh
}

// solveCDH5 makes a builder of cdh5 and runs the steps up to what the role master takes from the archives.
func solveCDH5(t *testing.T, stack *recipe.Stack, archives map[string]apt.Mirror) ([]apt.Package, error) {
	t.Helper()
	dir := t.TempDir()
	b, err := New(Options{Checkout: "..", Stack: "cdh5", Roles: []string{"master"}, Store: filepath.Join(dir, "store"), Out: filepath.Join(dir, "out"),
		Vendor: filepath.Join(dir, "vendor"), Only: OnlyImages, Archives: archives, Sink: event.Discard})
	if err != nil {
		return nil, err
	}
	defer b.Close()
	b.stack = stack
	if _, _, err := b.graph(everything); err != nil {
		return nil, err
	}
	solve := b.made["solve/role/master"]
	g, err := step.NewGraph(solve)
	if err != nil {
		t.Fatal(err)
	}
	done, err := b.exec.Execute(t.Context(), g)
	if err != nil {
		return nil, err
	}
	var pkgs []apt.Package
	if err := b.readJSON(done[solve.Name].Outputs["packages"].Digest, &pkgs); err != nil {
		t.Fatal(err)
	}
	for _, p := range pkgs {
		if !b.store.HasBlob(p.Digest) {
			t.Errorf("%s was solved and not fetched", p)
		}
	}
	return pkgs, nil
}

// TestOtherArchives solves a role of cdh5 from archives that the test makes: with their mirrors in the settings
// an image goes on to what dpkg unpacks, and CDH's packages win over Ubuntu's, whose versions are higher.
func TestOtherArchives(t *testing.T) {
	stack, err := recipe.Load(os.DirFS(".."), "cdh5")
	if err != nil {
		t.Fatal(err)
	}
	ubuntu, cdh := trusty(t, stack)
	archives := map[string]apt.Mirror{"ubuntu": ubuntu.mirror(), "cdh": cdh.mirror()}
	pkgs, err := solveCDH5(t, stack, archives)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range pkgs {
		got[p.Name] = p.Archive + " " + p.Version
	}
	for name, want := range map[string]string{"zookeeper": "cdh " + cdh.packages["zookeeper"], "hadoop-hdfs-namenode": "cdh " + cdh.packages["hadoop"],
		"openjdk-7-jre-headless": "ubuntu 1-1", "python2.7": "ubuntu 1-1"} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}

	delete(archives, "cdh")
	const missing = "images of the stack cdh5 need a mirror of CDH 5.1.2 for trusty (apt.archives.cdh.mirror): set it in forge.yaml, or make packages alone with --only packages"
	if _, err := solveCDH5(t, stack, archives); err == nil || err.Error() != missing {
		t.Errorf("without CDH's archive: %v; want %s", err, missing)
	}
	archives["cdh"] = archives["ubuntu"]
	if _, err := solveCDH5(t, stack, archives); err == nil || !strings.Contains(err.Error(), "trusty-cdh5.1.2") {
		t.Errorf("with Ubuntu's archive in the place of CDH's: %v", err)
	}
	debian := ubuntu
	debian.dir, debian.origin = filepath.Join(t.TempDir(), "debian"), "Debian"
	archives = map[string]apt.Mirror{"ubuntu": debian.mirror(), "cdh": cdh.mirror()}
	if _, err := solveCDH5(t, stack, archives); err == nil || !strings.Contains(err.Error(), `the archive that apt.archives.ubuntu names is of "Debian", as the Release file of its suite trusty says, not of Ubuntu`) {
		t.Errorf("with Debian's archive in the place of Ubuntu's: %v", err)
	}
}

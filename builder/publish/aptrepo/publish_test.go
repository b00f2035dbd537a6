package aptrepo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/google/go-cmp/cmp"
)

// TestClient has the real apt install from the repository and take the next build.
func TestClient(t *testing.T) {
	r := newRepo(t)
	res := r.must(makeDeb(t, "forge-x", "1.0-1", "amd64", "one"), makeDeb(t, "forge-y", "2:1.0-1", "all", "one"))
	if diff := cmp.Diff([]string{"forge-x 1.0-1 (amd64)", "forge-y 2:1.0-1 (all)"}, res.Added); diff != "" || res.Publication != 1 || !res.Changed {
		t.Errorf("%+v, added (-want +got):\n%s", res, diff)
	}
	r.gpgv()
	key := []byte(r.read(keyFile))
	byHTTP, asFiles := newClient(t, r.serve(), "bookworm", key), newClient(t, "file:"+r.spec.Dir, "bookworm", key)
	for _, c := range []*client{byHTTP, asFiles} {
		c.must("update")
		c.must("install", "forge-x", "forge-y")
		if c.installed("forge-x") != "one" || c.installed("forge-y") != "one" {
			t.Error("the installed files are not those of the packages")
		}
	}
	r.must(makeDeb(t, "forge-x", "1.0-2", "amd64", "two"))
	r.gpgv()
	for _, c := range []*client{byHTTP, asFiles} {
		c.must("update")
		c.must("upgrade")
		if got := c.installed("forge-x"); got != "two" {
			t.Errorf("after the upgrade forge-x has %q", got)
		}
		c.must("--allow-downgrades", "install", "forge-x=1.0-1") // which is still there
		if got := c.installed("forge-x"); got != "one" {
			t.Errorf("after the downgrade forge-x has %q", got)
		}
	}
	if out, err := newClient(t, "file:"+r.spec.Dir, "bookworm", []byte("")).apt("update"); err == nil {
		t.Errorf("a client without the key took the repository:\n%s", out)
	}
}

func TestReleaseFile(t *testing.T) {
	r := newRepo(t)
	r.spec.ValidFor = 100 * 365 * 24 * 3600e9
	r.must(makeDeb(t, "forge-x", "1.0-1", "amd64", "one"))
	head, _, _ := strings.Cut(r.read("Release"), "SHA256:")
	want := `Acquire-By-Hash: yes
Architectures: all amd64
Codename: bookworm
Components: main
Date: Sun, 01 Jun 2025 12:00:00 UTC
Description: Test packages
Label: Forge
Origin: Forge
Suite: bookworm
Valid-Until: Tue, 08 May 2125 12:00:00 UTC
No-Support-for-Architecture-all: Packages
`
	if diff := cmp.Diff(want, head); diff != "" {
		t.Errorf("Release (-want +got):\n%s", diff)
	}
	if all := r.read("main/binary-all/Packages"); all != "" {
		t.Errorf("binary-all has\n%s", all)
	}
	newClient(t, "file:"+r.spec.Dir, "bookworm", []byte(r.read(keyFile))).must("update")
}

// TestDeterministic publishes the same twice, and other things between.
func TestDeterministic(t *testing.T) {
	one, two := newRepo(t), newRepo(t)
	rsa := readKey(t, keyText(t, "RSA", &packet.Config{Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048}))
	one.spec.Keys = append(one.spec.Keys, rsa)
	two.spec.Keys = one.spec.Keys
	x, y := makeDeb(t, "forge-x", "1.0-1", "amd64", "one"), makeDeb(t, "forge-y", "1.0-1", "all", "one")
	one.must(x, y)
	two.must(y, x)
	if one.listing() != two.listing() {
		t.Errorf("the same packages, key and time made\n%s\nand\n%s", one.listing(), two.listing())
	}
	for _, name := range []string{"InRelease", "Release", "Release.gpg", keyFile} {
		if diff := cmp.Diff(one.read(name), two.read(name)); diff != "" {
			t.Errorf("%s differs:\n%s", name, diff)
		}
	}
	before := one.listing()
	if res := one.must(x); res.Changed || res.Publication != 1 || res.Packages != 2 || res.Added != nil {
		t.Errorf("the same again: %+v; want that nothing changed", res)
	}
	if after := one.listing(); after != before {
		t.Errorf("the same again changed\n%s\nto\n%s", before, after)
	}
}

func TestRefusals(t *testing.T) {
	r := newRepo(t)
	x := makeDeb(t, "forge-x", "1.0-1", "amd64", "one")
	r.refused("mesos): they check the wiring", x, makeDeb(t, "mesos", "1.11.0-1~standin1", "amd64", "-"))
	if r.listing() != "" {
		t.Errorf("refused stand-ins left\n%s", r.listing())
	}
	r.must(x)
	err := r.refused("forge-x 1.0-1 (amd64) is published already as pool/main/f/forge-x/forge-x_1.0-1_amd64.deb with another content",
		makeDeb(t, "forge-z", "1.0-1", "amd64", "-"), makeDeb(t, "forge-x", "1.0-1", "amd64", "changed"))
	if err != nil && !strings.Contains(err.Error(), "raise the revision") {
		t.Errorf("error %v; want what to do", err)
	}
	r.refused("are both forge-w 1 (amd64), with different content", makeDeb(t, "forge-w", "1", "amd64", "-"), makeDeb(t, "forge-w", "1", "amd64", "+"))
	r.refused(`package forge-w is for "arm64", the repository for amd64`, makeDeb(t, "forge-w", "1", "arm64", "-"))
	r.refused("read what is to be published", writeTemp(t, "no package"))
	r.spec.Date = epoch.AddDate(100, 0, 0)
	r.refused("which is to come: clients would refuse it", makeDeb(t, "forge-w", "1", "amd64", "-"))
	r.spec.Date, r.spec.ValidFor = epoch, 3600e9
	r.refused("it would be out of date already", makeDeb(t, "forge-w", "1", "amd64", "-"))
	r.spec.ValidFor, r.spec.Label = 0, `x";`
	r.refused("no quotes", x)
	r.spec.Label, r.spec.AllowStandins = "Forge", true
	if res := r.must(makeDeb(t, "mesos", "1.11.0-1~standin1", "amd64", "-")); res.Packages != 2 {
		t.Errorf("allowed stand-in: %+v", res)
	}
}

func TestForeignFolder(t *testing.T) {
	r := newRepo(t)
	for _, name := range []string{"dists/bookworm", "pool/main"} {
		if err := os.MkdirAll(filepath.Join(r.spec.Dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.refused("that forge did not make; publish to a folder of its own", makeDeb(t, "forge-x", "1", "all", ""))
	other := newRepo(t)
	other.must(makeDeb(t, "forge-x", "1", "all", ""))
	if err := os.Mkdir(filepath.Join(other.spec.Dir, "dists", "stable"), 0o755); err != nil {
		t.Fatal(err)
	}
	other.refused("forge did not make this repository", makeDeb(t, "forge-x", "2", "all", ""))
}

// TestTampered changes each file of a repository, and takes each away: it is named, and nothing is published.
func TestTampered(t *testing.T) {
	r := newRepo(t)
	r.must(makeDeb(t, "forge-x", "1.0-1", "amd64", "one"))
	r.must(makeDeb(t, "forge-x", "1.0-2", "amd64", "two"))
	next := makeDeb(t, "forge-x", "1.0-3", "amd64", "three")
	names := []string{"InRelease", "Release", "Release.gpg", "main/binary-amd64/Packages", "main/binary-amd64/Packages.gz", "main/binary-amd64/Packages.xz",
		"main/binary-all/Packages.gz", "../../pool/main/f/forge-x/forge-x_1.0-1_amd64.deb"}
	for _, name := range names {
		file := r.path(name)
		real, err := filepath.EvalSymlinks(filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		file = filepath.Join(real, filepath.Base(file))
		if strings.HasPrefix(name, "../") {
			file = filepath.Join(r.spec.Dir, strings.TrimPrefix(name, "../../"))
		}
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		changed := append([]byte{}, good...)
		changed[len(changed)/2] ^= 1
		shown := strings.TrimPrefix(name, "../../")
		for what, text := range map[string][]byte{"changed": changed, "longer": append(append([]byte{}, good...), "\nx"...), "gone": nil} {
			if err := os.RemoveAll(file); err != nil {
				t.Fatal(err)
			}
			if text != nil {
				if err := os.WriteFile(file, text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.refused(shown+": ", next); !errors.Is(err, ErrTampered) {
				t.Errorf("%s %s: error %v; want one that says it is not what was published", name, what, err)
			}
		}
		if err := os.WriteFile(file, good, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if res := r.must(next); res.Packages != 3 {
		t.Errorf("mended: %+v", res)
	}
}

// TestLostPackage gives the repository a package back that somebody removed.
func TestLostPackage(t *testing.T) {
	r := newRepo(t)
	x := makeDeb(t, "forge-x", "1.0-1", "amd64", "one")
	r.must(x)
	if err := os.RemoveAll(filepath.Join(r.spec.Dir, "pool", "main")); err != nil {
		t.Fatal(err)
	}
	r.must(x, makeDeb(t, "forge-y", "1.0-1", "amd64", "one"))
	c := newClient(t, "file:"+r.spec.Dir, "bookworm", []byte(r.read(keyFile)))
	c.must("update")
	c.must("install", "forge-x", "forge-y")
}

// TestSuites has two suites share a pool.
func TestSuites(t *testing.T) {
	r := newRepo(t)
	x := makeDeb(t, "forge-x", "1.0-1", "amd64", "one")
	r.must(x)
	r.spec.Suite = "bookworm-ha"
	r.must(x, makeDeb(t, "forge-y", "1.0-1", "amd64", "one"))
	for suite, want := range map[string]bool{"bookworm": false, "bookworm-ha": true} {
		c := newClient(t, "file:"+r.spec.Dir, suite, []byte(r.read(keyFile)))
		c.must("update")
		c.must("install", "forge-x")
		if _, err := c.apt("install", "forge-y"); (err == nil) != want {
			t.Errorf("forge-y of suite %s: %v", suite, err)
		}
	}
	r.spec.Suite = "other"
	r.refused("is published already", makeDeb(t, "forge-y", "1.0-1", "amd64", "changed"))
}

// TestKeep prunes old versions; publications that clients may still have in hand keep theirs.
func TestKeep(t *testing.T) {
	r := newRepo(t)
	r.spec.KeepVersions, r.spec.History = 2, 2
	deb := func(version string) string { return filepath.Join(r.spec.Dir, poolPath("forge-x", version, "all")) }
	for _, version := range []string{"1.9", "1.10~rc1", "1.10"} {
		r.must(makeDeb(t, "forge-x", version, "all", version))
	}
	res := r.must(makeDeb(t, "forge-x", "1.11", "all", "1.11"), makeDeb(t, "forge-y", "1", "all", ""))
	if diff := cmp.Diff([]string{"forge-x 1.10~rc1 (all)"}, res.Removed); diff != "" || res.Packages != 3 {
		t.Errorf("%+v, removed (-want +got):\n%s", res, diff)
	}
	for version, want := range map[string]bool{"1.9": false, "1.10~rc1": true, "1.10": true, "1.11": true} {
		if _, err := os.Stat(deb(version)); (err == nil) != want {
			t.Errorf("package %s: %v; want that it is there: %v", version, err, want)
		}
	}
	if all, err := filepath.Glob(filepath.Join(r.spec.Dir, "publications", "bookworm", "*")); err != nil || len(all) != 2 {
		t.Errorf("publications %v, %v; want the last two", all, err)
	}
	r.gpgv()
}

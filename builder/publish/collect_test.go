package publish_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder/publish"
)

var epoch = time.Date(2025, 11, 23, 0, 0, 0, 0, time.UTC)

// tree writes files below a new folder. A content that starts with "-> " is a symbolic link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func status(packages ...string) string {
	var b strings.Builder
	for _, p := range packages {
		name, version, _ := strings.Cut(p, "=")
		b.WriteString("Package: " + name + "\nStatus: install ok installed\nInstalled-Size: 12\nArchitecture: amd64\nVersion: " + version + "\nDescription: x\n y\n\n")
	}
	return b.String()
}

func pkg(name, version string) publish.Package {
	return publish.Package{Name: name, Version: version, Architecture: "amd64", Source: name, SourceVersion: version,
		SHA256: strings.Repeat("a", 64), Size: 1000, Origin: publish.FromDebian, Purl: "pkg:deb/debian/" + name + "@" + version + "?arch=amd64"}
}

func licence(id string) string { return header + "\nFiles: *\nCopyright: A\nLicense: " + id + "\n" }

const doc, dpkg = "usr/share/doc/", "var/lib/dpkg/status"

// sample is a role with a stand-in and a package that two deltas have.
func sample(t *testing.T) publish.Spec {
	standIn := pkg("mesos", "1.11.0-1~standin1")
	standIn.Origin, standIn.StandIn = publish.FromForge, true
	hadoop := pkg("forge-hadoop", "1.2.1-1")
	hadoop.Origin, hadoop.Homepage = publish.FromForge, "https://hadoop.example.invalid/"
	hadoop.Contains = []publish.Part{{Name: "asm:asm", Version: "3.1", Purl: "pkg:maven/asm/asm@3.1", SHA256: strings.Repeat("b", 64), File: "asm-3.1.jar", Licence: "BSD-3-Clause"}}
	return publish.Spec{Stack: "bookworm", Version: "1", Role: "slave", Arch: "amd64", Epoch: epoch, Layers: []publish.Layer{
		{Name: publish.LayerBase, Packages: []publish.Package{pkg("libc6", "2.36"), pkg("libstdc++6", "12.2"), pkg("gcc-12-base", "12.2")}, Dir: tree(t, map[string]string{
			dpkg: status("libc6=2.36", "libstdc++6=12.2", "gcc-12-base=12.2"), doc + "libc6/copyright": "This is prose.\n",
			doc + "gcc-12-base/copyright": licence("Artistic\n Text of it."), doc + "libstdc++6": "-> gcc-12-base"})},
		{Name: publish.LayerRole, Below: []string{publish.LayerBase}, Packages: []publish.Package{hadoop, standIn}, Dir: tree(t, map[string]string{
			dpkg:                           status("libc6=2.36", "libstdc++6=12.2", "gcc-12-base=12.2", "forge-hadoop=1.2.1-1", "mesos=1.11.0-1~standin1"),
			doc + "forge-hadoop/copyright": licence("Apache-2.0"), doc + "mesos/copyright": "-> /usr/share/doc/forge-hadoop/copyright"})},
		{Name: publish.LayerContainer, Below: []string{publish.LayerRole, publish.LayerBase}, Packages: []publish.Package{pkg("runit", "2")}, Dir: tree(t, map[string]string{
			dpkg: status("libc6=2.36", "libstdc++6=12.2", "gcc-12-base=12.2", "forge-hadoop=1.2.1-1", "mesos=1.11.0-1~standin1", "runit=2"),
			// The folder is in the layer, the file two layers below.
			doc + "runit": "-> ../doc/../doc/gcc-12-base"})},
		{Name: publish.LayerBoot, Below: []string{publish.LayerRole, publish.LayerBase}, Packages: []publish.Package{pkg("runit", "2"), pkg("linux", "6.1")}, Dir: tree(t, map[string]string{
			dpkg:                    status("libc6=2.36", "libstdc++6=12.2", "gcc-12-base=12.2", "forge-hadoop=1.2.1-1", "mesos=1.11.0-1~standin1", "runit=2", "linux=6.1"),
			doc + "linux/copyright": licence("GPL-2")})},
	}}
}

func TestCollect(t *testing.T) {
	bill, refs, err := publish.Collect(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range bill.Packages {
		got = append(got, strings.Join([]string{p.Name, strings.Join(p.Layers, "+"), p.Licence, p.LicenceFile}, " "))
		if p.InstalledSize != 12<<10 {
			t.Errorf("%s has an installed size of %d, want 12 KiB", p.Name, p.InstalledSize)
		}
	}
	want := []string{
		"forge-hadoop role Apache-2.0 /usr/share/doc/forge-hadoop/copyright",
		"gcc-12-base base LicenseRef-gcc-12-base-Artistic /usr/share/doc/gcc-12-base/copyright",
		"libc6 base NOASSERTION /usr/share/doc/libc6/copyright",
		"libstdc++6 base LicenseRef-libstdc-plus-plus6-Artistic /usr/share/doc/libstdc++6/copyright",
		"linux boot GPL-2.0-only /usr/share/doc/linux/copyright",
		"mesos role Apache-2.0 /usr/share/doc/mesos/copyright",
		"runit boot+container LicenseRef-runit-Artistic /usr/share/doc/runit/copyright",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(refs) != 3 || refs[0].ID != "LicenseRef-gcc-12-base-Artistic" || refs[0].Text != "Text of it." {
		t.Errorf("references %+v", refs)
	}
	if !slices.Equal(bill.StandIns, []string{"mesos"}) {
		t.Errorf("stand-ins %v, want mesos", bill.StandIns)
	}
}

func TestCollectIsExact(t *testing.T) {
	for want, spoil := range map[string]func(s *publish.Spec){
		`package curl:amd64 1 was put into the tree, where dpkg has "" of it`: func(s *publish.Spec) {
			s.Layers[1].Packages = append(s.Layers[1].Packages, pkg("curl", "1"))
		},
		`package libc6:amd64 2.37 was put into the tree, where dpkg has "2.36"`: func(s *publish.Spec) {
			s.Layers[0].Packages[0].Version = "2.37"
		},
		`dpkg has package linux:amd64 6.1 in the tree, where "" of it was put`: func(s *publish.Spec) {
			s.Layers[3].Packages = s.Layers[3].Packages[:1]
		},
		"no layer is called attic": func(s *publish.Spec) { s.Layers[2].Below[0] = "attic" },
		"layer base of role slave": func(s *publish.Spec) { s.Layers[0].Dir += "/nowhere" },
	} {
		s := sample(t)
		spoil(&s)
		if _, _, err := publish.Collect(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestLicencesStayInTheTree has copyright files that lead out of the tree, or are none.
func TestLicencesStayInTheTree(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "copyright")
	if err := os.WriteFile(outside, []byte(licence("ISC")), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"absolute":           {map[string]string{doc + "p/copyright": "-> " + outside}, ""},
		"upwards":            {map[string]string{doc + "p/copyright": "-> " + strings.Repeat("../", 40) + outside[1:]}, ""},
		"upwards, inside":    {map[string]string{doc + "p/copyright": "-> ../../../../../../a", "a": licence("Zlib")}, "Zlib"},
		"a folder that is a": {map[string]string{doc + "p": "-> " + filepath.Dir(outside)}, ""},
		"in a circle":        {map[string]string{doc + "p/copyright": "-> copyright"}, "kept"},
		"a folder":           {map[string]string{doc + "p/copyright/x": "x"}, "kept"},
		"long":               {map[string]string{doc + "p/copyright": licence("ISC") + strings.Repeat("#\n", 2<<20)}, "kept"},
	} {
		t.Run(name, func(t *testing.T) {
			c.files[dpkg] = status("p=1")
			p := pkg("p", "1")
			p.Licence = "LicenseRef-kept"
			bill, _, err := publish.Collect(publish.Spec{Layers: []publish.Layer{{Name: publish.LayerBase, Dir: tree(t, c.files), Packages: []publish.Package{p}}}})
			if err != nil {
				t.Fatal(err)
			}
			got := bill.Packages[0]
			switch c.want {
			case "": // there is none, as far as the tree goes
				if got.Licence != "LicenseRef-kept" || got.LicenceFile != "" {
					t.Errorf("licence %s from %q; it lies outside of the tree", got.Licence, got.LicenceFile)
				}
			case "kept": // there is one, which can't be read
				if got.Licence != "LicenseRef-kept" || got.LicenceFile == "" {
					t.Errorf("licence %s from %q", got.Licence, got.LicenceFile)
				}
			default:
				if got.Licence != c.want {
					t.Errorf("licence %s, want %s", got.Licence, c.want)
				}
			}
		})
	}
}

// TestPipesAndWhiteoutsAreNotRead has a delta hide the file of the tree below.
func TestPipesAndWhiteoutsAreNotRead(t *testing.T) {
	base := tree(t, map[string]string{dpkg: "", doc + "p/copyright": licence("ISC")})
	delta := tree(t, map[string]string{dpkg: status("p=1"), doc + "p/x": ""})
	spec := publish.Spec{Layers: []publish.Layer{{Name: "base", Dir: base},
		{Name: "role", Dir: delta, Below: []string{"base"}, Packages: []publish.Package{pkg("p", "1")}}}}
	path := filepath.Join(delta, doc, "p/copyright")
	for _, c := range []struct {
		what          string
		make          func() error
		licence, file string
	}{
		{"nothing", func() error { return nil }, "ISC", "/usr/share/doc/p/copyright"},
		{"a pipe", func() error { return syscall.Mkfifo(path, 0o644) }, publish.NoAssertion, "/usr/share/doc/p/copyright"},
		{"a whiteout", func() error { return errors.Join(os.Remove(path), syscall.Mknod(path, syscall.S_IFCHR, 0)) }, publish.NoAssertion, ""},
	} {
		if err := c.make(); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		bill, _, err := publish.Collect(spec)
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if p := bill.Packages[0]; p.Licence != c.licence || p.LicenceFile != c.file {
			t.Errorf("%s over the file: licence %s from %q, want %s from %q", c.what, p.Licence, p.LicenceFile, c.licence, c.file)
		}
	}
}

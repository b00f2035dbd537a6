package rootfs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/archive"
)

// units makes packages of lines "name; Field: value; ...".
func units(lines ...string) []*unit {
	var out []*unit
	for _, line := range lines {
		fields := strings.Split(line, "; ")
		u := &unit{Package: Package{Name: fields[0]}, deb: &archive.Deb{Files: map[string][]byte{}}}
		for _, f := range fields[1:] {
			name, value, _ := strings.Cut(f, ": ")
			if name == "preinst" || name == "postinst" {
				u.deb.Files[name] = []byte(value)
				continue
			}
			u.deb.Control = append(u.deb.Control, archive.Field{Name: name, Value: value})
		}
		out = append(out, u)
	}
	return out
}

func names(units []*unit) string {
	var out []string
	for _, u := range units {
		out = append(out, u.Name)
	}
	return strings.Join(out, " ")
}

func TestConfigureOrder(t *testing.T) {
	for _, c := range []struct {
		name, want string
		core       int
		units      []*unit
	}{
		{"dependencies first, then by name", "lib a z", 0, units("a; Depends: lib", "lib", "z")},
		{"pre-depends, alternatives, virtual packages", "mawk x", 0, units("mawk; Provides: awk (= 1)", "x; Pre-Depends: gawk | awk")},
		{"the core comes first", "libc6 base-passwd dash a", 3, units("a", "base-passwd; Depends: libc6", "dash; Essential: yes", "libc6")},
		{"a circle", "libgcc libc6 a", 2, units("a; Depends: libc6", "libc6; Depends: libgcc", "libgcc; Depends: libc6")},
	} {
		order, core := configureOrder(c.units)
		if got := names(order); got != c.want || core != c.core {
			t.Errorf("%s: %s (core %d), want %s (core %d)", c.name, got, core, c.want, c.core)
		}
	}
}

func TestMarkSlow(t *testing.T) {
	all := units(
		"base; Essential: yes; preinst: #!/bin/sh\ndpkg-divert --add x\n",
		"comment; preinst: #!/bin/sh\n# dpkg-divert is not called\n",
		"diverts; preinst: #!/bin/sh\nset -e\n\tdpkg-divert --add x\n",
		"early; postinst: true",
		"needs-base; Pre-Depends: base; preinst: true",
		"needs-early; Pre-Depends: early; preinst: true",
		"no-script; Pre-Depends: early",
		"old",
		"waits; Depends: needs-early",
	)
	markSlow(all, func(name string) bool { return name == "old" })
	slow := map[string]string{}
	for _, u := range all {
		if u.slow != "" {
			slow[u.Name] = u.slow
		}
	}
	want := map[string]string{
		"diverts":     "its preinst diverts files",
		"needs-early": "its preinst may need early, a Pre-Depends, configured",
		"old":         "another version is installed in a lower tree",
	}
	if diff := cmp.Diff(want, slow); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	order, _ := configureOrder(all)
	early, late := splitLate(order)
	if got, want := names(early), "base comment early needs-base no-script"; got != want {
		t.Errorf("early: %s, want %s", got, want)
	}
	if got, want := names(late), "diverts needs-early old waits"; got != want {
		t.Errorf("late: %s, want %s", got, want)
	}
}

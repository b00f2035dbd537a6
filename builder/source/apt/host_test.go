package apt_test

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/source/apt"
)

// hostConfig is the configuration of a machine whose /etc/apt and list files are in dir.
func hostConfig(dir string) string {
	return fmt.Sprintf("Dir::Etc %q;\nDir::State::lists %q;\n", filepath.Join(dir, "etc"), filepath.Join(dir, "lists"))
}

const releaseText = "Origin: %s\nLabel: %s\nCodename: x\nDate: Sat, 17 May 2025 09:06:14 UTC\n"

func TestHostMirrorFromLists(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "etc/sources.list"), []byte(
		"deb http://other.invalid/repo stable main\ndeb-src http://a.invalid/debian bookworm main\n"))
	write(t, filepath.Join(dir, "etc/sources.list.d/b.list"), []byte("deb http://b.invalid/sec/ bookworm-security main\n"))
	write(t, filepath.Join(dir, "etc/sources.list.d/a.sources"), []byte(
		"Types: deb\nURIs: http://a.invalid/debian/\nSuites: bookworm-backports bookworm\nComponents: main\n\n"+
			"Types: deb\nURIs: http://later.invalid/debian\nSuites: bookworm\nComponents: main\n"))
	write(t, filepath.Join(dir, "etc/sources.list.d/c.sources.disabled"), []byte("nonsense\n"))
	for name, origin := range map[string]string{
		"other.invalid_repo_dists_stable":           "Other Debian",
		"a.invalid_debian_dists_bookworm-backports": "Debian Debian Backports",
		"a.invalid_debian_dists_bookworm":           "Debian Debian",
		"later.invalid_debian_dists_bookworm":       "Debian Debian",
		"b.invalid_sec_dists_bookworm-security":     "Debian Debian-Security",
	} {
		o, l, _ := strings.Cut(origin, " ")
		write(t, filepath.Join(dir, "lists", name+"_InRelease"), fmt.Appendf(nil, releaseText, o, l))
	}
	m, err := client(t, hostConfig(dir)).HostMirror(context.Background())
	if want := (apt.Mirror{Main: "http://a.invalid/debian", Security: "http://b.invalid/sec"}); err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v, %v", m, err)
	}
	a := m.Archives("trixie")
	if len(a) != 2 || strings.Join(a[0].Suites, " ") != "trixie trixie-updates" || a[1].Suites[0] != "trixie-security" ||
		a[0].Keyring != apt.DefaultKeyring || a[1].URI != m.Security {
		t.Errorf("archives of trixie: %+v", a)
	}
}

func TestHostMirrorWithoutLists(t *testing.T) {
	r := newRepo(t, pkg{name: "hello", version: "1"})
	dir := t.TempDir()
	write(t, filepath.Join(dir, "etc/sources.list"), []byte("deb "+r.url+" nosuch main\ndeb "+r.url+" test main\n"))
	m, err := client(t, hostConfig(dir)).HostMirror(context.Background())
	if err != nil || !reflect.DeepEqual(m, apt.Mirror{Main: r.url}) {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestHostMirrorNone(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "etc/sources.list")
	write(t, list, []byte("deb http://other.invalid/repo stable main\n"))
	write(t, filepath.Join(dir, "lists/other.invalid_repo_dists_stable_InRelease"), fmt.Appendf(nil, releaseText, "Other", "Debian"))
	_, err := client(t, hostConfig(dir)).HostMirror(context.Background())
	wantError(t, err, "none of the 1 entries", list, "set apt.mirror")

	write(t, list, []byte("deb [x http://other.invalid/repo stable main\n"))
	_, err = client(t, hostConfig(dir)).HostMirror(context.Background())
	wantError(t, err, list+":1: options without")
}

package java

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/mesos-forge/forge/builder/sandbox"
)

// Where things are as the build sees them: always the same, since paths get into what compilers write.
const (
	InsideWork = "/tmp/forge-build"
	InsideHome = "/tmp/home"
	insideJDK  = "/tmp/jdk"
)

// shown are the host's files that Java and Maven need, besides /usr; those that are not there are left out.
var shown = []string{"/etc/alternatives", "/etc/maven", "/etc/ssl/certs", "/etc/ld.so.cache", "/etc/java"}

// looked are the files by which names are looked up, for a build with the network.
var looked = []string{"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"}

// Room is a tree with nothing in it but mount points for the host's programs.
type Room struct {
	Dir   string // the tree's, on the host
	Binds []sandbox.Bind
	Java  string // JAVA_HOME in the tree
}

// NewRoom makes a room below dir. With network, names can be looked up in it.
func NewRoom(dir string, jdk JDK, network bool) (*Room, error) {
	r := &Room{Dir: filepath.Join(dir, "room")}
	for _, d := range []string{"tmp", "run", "dev", "proc", "sys", "etc"} {
		if err := os.MkdirAll(filepath.Join(r.Dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	for _, d := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"} {
		if err := r.top(d); err != nil {
			return nil, err
		}
	}
	show := append([]string{"/usr"}, shown...)
	more, err := filepath.Glob("/etc/java-*") // where Debian keeps the settings of each JDK
	if err != nil {
		return nil, err
	}
	show = append(show, more...)
	if network {
		show = append(show, looked...)
	}
	for _, path := range show {
		if err := r.show(path, path); err != nil {
			return nil, err
		}
	}
	r.Java = r.Place(jdk.Home, insideJDK)
	return r, nil
}

// top makes one of the folders of programs: a link into /usr, as most systems have it, or the host's.
func (r *Room) top(path string) error {
	target, err := os.Readlink(path)
	if err != nil {
		return r.show(path, path)
	}
	return os.Symlink(target, filepath.Join(r.Dir, path))
}

// show binds a file or folder of the host, read-only, if it is there.
func (r *Room) show(source, target string) error {
	info, err := os.Stat(source)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	point := filepath.Join(r.Dir, target)
	if info.IsDir() {
		err = os.MkdirAll(point, 0o755)
	} else {
		err = errors.Join(os.MkdirAll(filepath.Dir(point), 0o755), os.WriteFile(point, nil, 0o644))
	}
	r.Binds = append(r.Binds, sandbox.Bind{Source: source, Target: target, ReadOnly: true})
	return err
}

// Place returns where a folder of the host is in the room: below /usr it is there already.
func (r *Room) Place(home, target string) string {
	if strings.HasPrefix(home, "/usr/") {
		return home
	}
	r.Binds = append(r.Binds, sandbox.Bind{Source: home, Target: target, ReadOnly: true})
	return target
}

// Bind shows a folder of the host that the build writes to.
func (r *Room) Bind(source, target string) {
	r.Binds = append(r.Binds, sandbox.Bind{Source: source, Target: target})
}

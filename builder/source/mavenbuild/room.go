package mavenbuild

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mesos-forge/forge/builder/sandbox"
)

// Where things are as the build sees them: always the same, since paths get into what compilers write.
const (
	insideWork = "/tmp/forge-build"
	insideHome = "/tmp/home"
	insideJDK  = "/tmp/jdk"
	insideMvn  = "/tmp/maven"
)

// shown are the host's files that mvn and Java need, besides /usr; those that are not there are left out.
var shown = []string{"/etc/alternatives", "/etc/maven", "/etc/ssl/certs", "/etc/ld.so.cache", "/etc/java"}

// looked are the files by which names are looked up, for a build with the network.
var looked = []string{"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"}

// room is a tree with nothing in it but mount points for the host's programs.
type room struct {
	dir   string // the tree's, on the host
	binds []sandbox.Bind
	mvn   string // path in the tree
	java  string // JAVA_HOME in the tree
}

// newRoom makes a room below dir. With network, names can be looked up in it.
func newRoom(dir string, jdk JDK, program string, network bool) (*room, error) {
	r := &room{dir: filepath.Join(dir, "room")}
	for _, d := range []string{"tmp", "run", "dev", "proc", "sys", "etc"} {
		if err := os.MkdirAll(filepath.Join(r.dir, d), 0o755); err != nil {
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
	if r.java, err = r.place(jdk.Home, insideJDK); err != nil {
		return nil, err
	}
	return r, r.findMvn(program)
}

// top makes one of the folders of programs: a link into /usr, as most systems have it, or the host's.
func (r *room) top(path string) error {
	target, err := os.Readlink(path)
	if err != nil {
		return r.show(path, path)
	}
	return os.Symlink(target, filepath.Join(r.dir, path))
}

// show binds a file or folder of the host, read-only, if it is there.
func (r *room) show(source, target string) error {
	info, err := os.Stat(source)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	point := filepath.Join(r.dir, target)
	if info.IsDir() {
		err = os.MkdirAll(point, 0o755)
	} else {
		err = errors.Join(os.MkdirAll(filepath.Dir(point), 0o755), os.WriteFile(point, nil, 0o644))
	}
	r.binds = append(r.binds, sandbox.Bind{Source: source, Target: target, ReadOnly: true})
	return err
}

// place returns where a folder of the host is in the room: below /usr it is there already.
func (r *room) place(home, target string) (string, error) {
	if strings.HasPrefix(home, "/usr/") {
		return home, nil
	}
	r.binds = append(r.binds, sandbox.Bind{Source: home, Target: target, ReadOnly: true})
	return target, nil
}

func (r *room) findMvn(program string) error {
	if program == "" {
		program = "mvn"
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return fmt.Errorf("maven-build: %w: install Maven (Debian: apt install maven)", err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return err
	}
	home, err := r.place(filepath.Dir(filepath.Dir(path)), insideMvn)
	r.mvn = filepath.Join(home, "bin", filepath.Base(path))
	return err
}

// bind shows a folder of the host that the build writes to.
func (r *room) bind(source, target string) {
	r.binds = append(r.binds, sandbox.Bind{Source: source, Target: target})
}

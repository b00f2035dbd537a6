package mavenbuild

import (
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/mesos-forge/forge/builder/source/java"
)

// insideMvn is where a Maven that is not below /usr is in the room.
const insideMvn = "/tmp/maven"

// findMvn shows the host's mvn in the room, and returns its path there.
func findMvn(room *java.Room, program string) (string, error) {
	if program == "" {
		program = "mvn"
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("maven-build: %w: install Maven (Debian: apt install maven)", err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", err
	}
	return filepath.Join(room.Place(filepath.Dir(filepath.Dir(path)), insideMvn), "bin", filepath.Base(path)), nil
}

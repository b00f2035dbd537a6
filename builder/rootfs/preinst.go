package rootfs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"

	"github.com/mesos-forge/forge/builder/sandbox"
)

// stagedDir holds the control parts of the packages whose preinst is still to run.
const stagedDir = dpkgDir + "/forge.ci"

// preinstDriver runs preinst scripts, one after the other, with the environment that dpkg gives
// them (dpkg(1), "Internal environment"), and from tmp.ci, where dpkg has them and where debconf
// looks for the package's name and templates. Its arguments are pairs: name, architecture.
const preinstDriver = `
export DPKG_ROOT= DPKG_ADMINDIR=/var/lib/dpkg DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1
export DPKG_RUNNING_VERSION="$(dpkg-query -W -f '${Version}' dpkg)"
while [ $# -gt 0 ]; do
	rm -rf /var/lib/dpkg/tmp.ci
	mv "/var/lib/dpkg/forge.ci/$1" /var/lib/dpkg/tmp.ci
	DPKG_MAINTSCRIPT_PACKAGE=$1 DPKG_MAINTSCRIPT_ARCH=$2 /var/lib/dpkg/tmp.ci/preinst install || {
		echo "forge: preinst of $1: exit status $?" >&2
		exit 1
	}
	shift 2
done
rm -rf /var/lib/dpkg/tmp.ci /var/lib/dpkg/forge.ci
`

var preinstFailed = regexp.MustCompile(`(?m)^forge: preinst of (\S+): exit status`)

// preinst runs the preinst scripts of the packages that forge unpacked.
func (t *tree) preinst(ctx context.Context, units []*unit) error {
	args := []string{"sh", "-c", preinstDriver, "preinst"}
	for _, u := range units {
		if !u.script("preinst") || u.slow != "" {
			continue
		}
		if err := t.stage(u); err != nil {
			return fmt.Errorf("rootfs: preinst of %s: %w", u.Name, err)
		}
		args = append(args, u.Name, u.Arch)
	}
	if len(args) == 4 {
		return nil
	}
	err := t.run(ctx, sandbox.Spec{Args: args})
	if err == nil {
		return nil
	}
	var exit *sandbox.ExitError
	if m := preinstFailed.FindStringSubmatch(t.log.tail()); m != nil && errors.As(err, &exit) {
		return &ScriptError{Package: m[1], Script: "preinst", Output: t.log.tail(), Err: err}
	}
	return fmt.Errorf("rootfs: preinst scripts: %w", err)
}

// stage lays down the control part of a package.
func (t *tree) stage(u *unit) error {
	dir := stagedDir + "/" + u.Name
	if err := makeDirs(t.root, dir); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(u.deb.Files)) {
		mode := os.FileMode(u.deb.Modes[name] & 0o777)
		if err := put(t.root, dir+"/"+name, u.deb.Files[name], mode); err != nil {
			return err
		}
	}
	return nil
}

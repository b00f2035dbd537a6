package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/cluster"
)

// absentMount is a mount point of this node on which no file system is.
type absentMount struct {
	path  string
	needs string // what lies below it
}

// below is the absent mount that a path lies on or below, or nil.
func below(path string, absent []absentMount) *absentMount {
	for _, a := range absent {
		if path == a.path || strings.HasPrefix(path, a.path+"/") {
			return &absentMount{path: a.path, needs: path}
		}
	}
	return nil
}

// anyBelow tells whether any of the paths lies on or below an absent mount.
func anyBelow(paths []string, absent []absentMount) bool {
	return slices.ContainsFunc(paths, func(p string) bool { return below(p, absent) != nil })
}

// missingBelow finds what a service needs below an absent mount, or nil.
func (st *starter) missingBelow(svc RenderedService) *absentMount {
	for _, path := range st.r.Rendering.needed(svc) {
		if a := below(path, st.absent); a != nil {
			return a
		}
	}
	return nil
}

// needed are the paths that a service keeps its data in, as far as its manifest says.
func (r *Rendering) needed(svc RenderedService) []string {
	var paths []string
	for _, d := range r.Dirs {
		if slices.Contains(d.Services, svc.Name) {
			paths = append(paths, d.Path)
		}
	}
	for _, step := range svc.Steps {
		paths = append(paths, step.Paths...)
	}
	for _, f := range r.Files {
		if slices.Contains(f.Restart, svc.Name) {
			paths = append(append(paths, f.Path), f.Fixed...)
		}
	}
	return paths
}

// prepareMounts sees to it that the node's file systems are mounted: data disks
// it formats, if they are blank, and mounts; NFS is mounted by what the seed put
// into /etc/fstab; in a container the engine mounts everything. It goes on after
// a failure, and returns the mounts that are absent and why. All of them together
// get one time of patience: the unit's own limit does not grow with their number.
func (n *Node) prepareMounts(ctx context.Context, d *cluster.Derived, s *state) (absent []absentMount, problem error) {
	mounts := slices.SortedFunc(slices.Values(d.Mounts), func(a, b cluster.Mount) int { return strings.Compare(a.Path, b.Path) })
	end := n.Now().Add(n.Patience)
	var problems []error
	for _, m := range mounts {
		var err error
		if outer := below(m.Path, absent); outer != nil {
			err = fmt.Errorf("it lies below %s, which is not there", outer.path)
		} else {
			err = n.prepareMount(ctx, m, s, end)
		}
		if err != nil {
			absent = append(absent, absentMount{path: m.Path})
			problems = append(problems, fmt.Errorf("%s: %w", mountOf(m, d.Node.Name), err))
		}
	}
	return absent, errors.Join(problems...)
}

// mountOf is how messages begin that are about a mount.
func mountOf(m cluster.Mount, node string) string {
	return fmt.Sprintf("mount %s of node %s", m.Path, node)
}

// prepareMount sees to one file system, which may appear until end.
func (n *Node) prepareMount(ctx context.Context, m cluster.Mount, s *state, end time.Time) error {
	switch {
	case n.Container:
		there, err := n.mountedAt(m.Path)
		if err == nil && there == nil {
			err = fmt.Errorf("it is no mount point: start the container with --volume DIRECTORY:%s", m.Path)
		}
		return err
	case m.Source != "":
		return n.awaitNFS(ctx, m, end)
	}
	return n.mountDisk(ctx, m, s, end)
}

// mountPoint is one line of /proc/self/mountinfo.
type mountPoint struct {
	path, fsType, source string
}

// mountedAt is what is mounted on a path, or nil.
func (n *Node) mountedAt(path string) (*mountPoint, error) {
	data, err := readBounded(n.path("/proc/self/mountinfo"), 8<<20)
	if err != nil {
		return nil, err
	}
	var last *mountPoint // a later one hides those before it
	for line := range strings.Lines(string(data)) {
		if m, ok := parseMount(line); ok && m.path == path {
			last = &m
		}
	}
	return last, nil
}

// parseMount reads a line of mountinfo (proc(5)): "36 35 98:0 /root /mnt opts
// optional... - type source superopts", with octal escapes.
func parseMount(line string) (mountPoint, bool) {
	before, after, found := strings.Cut(line, " - ")
	f, g := strings.Fields(before), strings.Fields(after)
	if !found || len(f) < 6 || len(g) < 2 {
		return mountPoint{}, false
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	return mountPoint{path: unescape.Replace(f[4]), fsType: g[0], source: unescape.Replace(g[1])}, true
}

// awaitNFS waits until the seed's /etc/fstab entry is mounted, until end.
func (n *Node) awaitNFS(ctx context.Context, m cluster.Mount, end time.Time) error {
	for {
		there, err := n.mountedAt(m.Path)
		switch {
		case err != nil:
			return err
		case there != nil && !strings.HasPrefix(there.fsType, "nfs"):
			return fmt.Errorf("%s (%s) is mounted there, not %s", there.source, there.fsType, m.Source)
		case there != nil && strings.TrimRight(there.source, "/") != strings.TrimRight(m.Source, "/"):
			return fmt.Errorf("%s is mounted there, not %s", there.source, m.Source)
		case there != nil:
			return nil
		case !n.Now().Before(end):
			return fmt.Errorf("%s is not mounted: is the server up, and does /etc/fstab, which the seed writes, name it? Then mount %s, and run forge-node apply", m.Source, m.Path)
		}
		if err := n.Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

// mountDisk mounts the file system of that label, wherever its disk is now. If
// there is none, the disk of the inventory becomes it, if that is blank.
func (n *Node) mountDisk(ctx context.Context, m cluster.Mount, s *state, end time.Time) error {
	devices, err := n.labelled(ctx, m.Label)
	if err != nil {
		return err
	}
	there, err := n.mountedAt(m.Path)
	switch {
	case err != nil:
		return err
	case len(devices) > 1:
		return fmt.Errorf("%d file systems carry the label %s: %s; take away the wrong disk, or give it another label (e2label)", len(devices), m.Label, strings.Join(devices, ", "))
	case there != nil && (len(devices) == 0 || !n.sameDevice(there.source, devices[0])):
		return fmt.Errorf("%s (%s) is mounted there, which does not carry the label %s: unmount it, or give it that label", there.source, there.fsType, m.Label)
	case there == nil && len(devices) == 0:
		device, err := n.formatDisk(ctx, m, s, end)
		if err != nil {
			return err
		}
		devices = []string{device}
	}
	if _, begun := s.Disks[m.Label]; begun { // and ended, as the label is the last thing written
		delete(s.Disks, m.Label)
		if err := n.saveState(s); err != nil {
			return err
		}
	}
	if there != nil {
		return nil
	}
	return n.mount(ctx, m, devices[0])
}

// labelled are the block devices whose file systems carry a label, probed anew.
func (n *Node) labelled(ctx context.Context, label string) ([]string, error) {
	out, err := n.Exec(ctx, User{}, []string{"blkid", "--cache-file", "/dev/null", "--match-token", "LABEL=" + label, "--output", "device"})
	if exitCode(err) == 2 { // blkid(8): nothing was found
		return nil, nil
	}
	return strings.Fields(string(out)), err
}

// exitCode of a program that ran and failed; 0 for other errors and for none.
func exitCode(err error) int {
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

func (n *Node) sameDevice(a, b string) bool {
	resolve := func(p string) string {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			return real
		}
		return p
	}
	return resolve(a) == resolve(b)
}

// mount checks a file system and mounts it. Files below the mount point would be
// hidden, and data taken for lost, so they are an error.
func (n *Node) mount(ctx context.Context, m cluster.Mount, device string) error {
	what, err := look(n.path(m.Path))
	if err != nil {
		return err
	}
	if what == holdsData || what == emptyLink {
		return fmt.Errorf("the directory itself holds files, or is a link: the disk would hide them; move them away by hand")
	}
	n.changes("mkdir " + m.Path)
	if err := mkdirs(n.path(m.Path)); err != nil {
		return err
	}
	// 1: errors were corrected (fsck(8)).
	if _, err := n.Exec(ctx, User{}, []string{"fsck", "-T", "-p", device}); err != nil && exitCode(err) != 1 {
		return fmt.Errorf("the file system on %s needs a repair by hand: %w", device, err)
	}
	n.changes("mount " + m.Path)
	_, err = n.Exec(ctx, User{}, []string{"mount", "-o", m.Options, device, n.path(m.Path)})
	return err
}

// DataPaths are the paths in which the node's services keep data, as far as their manifests say, sorted:
// directories, what one-time steps make, and what no change of a setting may leave behind.
func (r *Rendering) DataPaths() []string {
	var paths []string
	for _, d := range r.Dirs {
		paths = append(paths, d.Path)
	}
	for _, svc := range r.Services {
		for _, step := range svc.Steps {
			paths = append(paths, step.Paths...)
		}
	}
	for _, f := range r.Files {
		paths = append(paths, f.Fixed...)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

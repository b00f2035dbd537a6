package rootfs

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/sandbox"
)

// Install says what to install, and how. It is common to Base and Delta.
type Install struct {
	Packages []Package // their order does not matter
	Epoch    time.Time // SOURCE_DATE_EPOCH
	Jobs     int       // packages unpacked at a time; 0: the number of processors
	Sink     event.Sink
	Log      io.Writer // what the programs say, besides the Log events; nil: dropped

	// Env is added to the environment of maintainer scripts.
	Env []string
	// Run are programs run in the tree after everything is configured. Root and the fixed environment
	// are filled in.
	Run []sandbox.Spec
	// Initrds keeps initramfs images between installs; nil: each is made anew. They are made once, in
	// the end, after Run.
	Initrds InitrdCache
}

func (i Install) withDefaults() Install {
	if i.Jobs <= 0 {
		i.Jobs = runtime.NumCPU()
	}
	if i.Sink == nil {
		i.Sink = event.Discard
	}
	if i.Log == nil {
		i.Log = io.Discard
	}
	return i
}

func (i Install) phase(name string) { i.Sink.Emit(event.Event{Kind: event.Phase, Message: name}) }

// merged are the links of a merged /usr on the architecture (debootstrap's, and mmdebstrap's hook
// merged-usr). Their targets are made as directories.
func merged(arch string) ([]string, error) {
	switch arch {
	case "amd64":
		return []string{"bin", "sbin", "lib", "lib64"}, nil
	case "arm64", "armhf", "riscv64":
		return []string{"bin", "sbin", "lib"}, nil
	}
	return nil, fmt.Errorf("rootfs: architecture %q is not known (amd64, arm64, armhf and riscv64 are)", arch)
}

// tree is a rootfs that is being made.
type tree struct {
	Install
	dir  string // where it can be seen whole
	root *os.Root
	db   *database
	log  *lineLog

	overlays []Overlay
	binds    []sandbox.Bind // while dpkg runs
}

func openTree(dir string, i Install) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("rootfs: %w", err)
	}
	return &tree{Install: i, dir: dir, root: root, log: &lineLog{sink: i.Sink, to: i.Log}}, nil
}

// install brings the packages into the tree and configures them.
func (t *tree) install(ctx context.Context) error {
	t.phase("unpack")
	units, err := openAll(ctx, t.Packages, t.Jobs)
	if err != nil {
		return err
	}
	defer closeAll(units)
	if t.db, err = readDatabase(t.root); err != nil {
		return err
	}
	if err := t.installUnits(ctx, units); err != nil {
		return err
	}
	if err := t.layOver(ctx); err != nil {
		return err
	}
	for _, s := range t.Run {
		if err := t.run(ctx, s); err != nil {
			return fmt.Errorf("rootfs: %w", err)
		}
	}
	return t.makeInitramfs(ctx)
}

func (t *tree) installUnits(ctx context.Context, units []*unit) error {
	if len(units) == 0 {
		return nil
	}
	markSlow(units, t.db.installed)
	fast := slices.DeleteFunc(slices.Clone(units), func(u *unit) bool { return u.slow != "" })
	if err := t.unpack(ctx, fast); err != nil {
		return err
	}
	if err := t.writeDatabase(fast, units); err != nil {
		return err
	}
	t.phase("dpkg configure")
	return t.configure(ctx, units)
}

// run runs a program in the tree.
func (t *tree) run(ctx context.Context, s sandbox.Spec) error {
	s.Root = t.dir
	s.Env = append(t.environment(), s.Env...)
	if s.Stdout == nil {
		s.Stdout = t.log
	}
	if s.Stderr == nil {
		s.Stderr = t.log
	}
	err := sandbox.Run(ctx, s)
	t.log.flush()
	return err
}

// environment is what maintainer scripts get.
func (t *tree) environment() []string {
	return append([]string{
		"DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true", "DEBCONF_NOWARNINGS=yes",
		"PERL_HASH_SEED=0", "PERL_PERTURB_KEYS=0", "PYTHONHASHSEED=0", // what scripts write must not be in random order
		fmt.Sprintf("SOURCE_DATE_EPOCH=%d", t.Epoch.Unix()),
	}, t.Env...)
}

// emptyDir makes sure that dir is an empty directory, making it when it is absent.
func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("rootfs: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("rootfs: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("rootfs: %s is not empty: it holds %s", dir, entries[0].Name())
	}
	return os.Chmod(dir, 0o755)
}

// BaseSpec describes a tree that is made from nothing.
type BaseSpec struct {
	Install
	Dir  string // absent, or an empty directory
	Arch string // Debian's name of the architecture; "" means amd64
}

// Base makes a tree with merged /usr in s.Dir and installs s.Packages in it. On an error what is in
// s.Dir is of no use. The result still has to be sealed (Seal).
func Base(ctx context.Context, s BaseSpec) error {
	if s.Arch == "" {
		s.Arch = "amd64"
	}
	links, err := merged(s.Arch)
	if err != nil {
		return err
	}
	if err := emptyDir(s.Dir); err != nil {
		return err
	}
	t, err := openTree(s.Dir, s.Install.withDefaults())
	if err != nil {
		return err
	}
	defer t.root.Close()
	for _, name := range links {
		if err := makeDirs(t.root, "usr/"+name); err != nil {
			return err
		}
		if err := t.root.Symlink("usr/"+name, name); err != nil {
			return fmt.Errorf("rootfs: merged /usr: %w", err)
		}
	}
	if err := newDatabase(t.root, s.Arch); err != nil {
		return err
	}
	return t.install(ctx)
}

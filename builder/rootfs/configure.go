package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/sandbox"
)

// ScriptError says that a package could not be configured.
type ScriptError struct {
	Package string
	Script  string // "preinst", "postinst", ...; "" when dpkg itself refused
	Output  string // the end of what was written meanwhile
	Err     error
}

// Error names package and script first.
func (e *ScriptError) Error() string {
	what := e.Package
	if e.Script != "" {
		what = "the " + e.Script + " script of " + e.Package
	}
	return fmt.Sprintf("rootfs: %s failed\n%s", what, strings.TrimSpace(e.Output))
}

func (e *ScriptError) Unwrap() error { return e.Err }

// policy is a policy-rc.d that lets nothing start (invoke-rc.d, deb-systemd-invoke).
const (
	policyPath = "usr/sbin/policy-rc.d"
	policy     = "#!/bin/sh\nexit 101\n"
)

// configure runs the preinst scripts of the packages that forge unpacked, and has dpkg do the rest.
func (t *tree) configure(ctx context.Context, all []*unit) (err error) {
	restore, err := t.forbidServices()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, restore()) }()
	if t.binds, err = t.deferInitramfs(); err != nil {
		return err
	}
	order, core := configureOrder(all)
	if err := t.preinst(ctx, preinstOrder(order)); err != nil {
		return err
	}
	// The core depends on itself in circles (libc6 on libgcc-s1 on libc6): its order is ours.
	if err := t.dpkgConfigure(ctx, order[:core], "--force-depends"); err != nil {
		return err
	}
	early, late := splitLate(order)
	early = slices.DeleteFunc(early, func(u *unit) bool { return slices.Contains(order[:core], u) })
	if err := t.dpkgConfigure(ctx, early); err != nil {
		return err
	}
	if len(late) == 0 {
		return nil
	}
	if err := t.dpkgUnpack(ctx, late); err != nil {
		return err
	}
	return t.dpkgConfigure(ctx, late)
}

// forbidServices lays down policy-rc.d, unless the tree has one, and returns what removes it.
func (t *tree) forbidServices() (restore func() error, err error) {
	if _, err := t.root.Lstat(policyPath); err == nil {
		return func() error { return nil }, nil
	}
	if err := makeDirs(t.root, filepath.Dir(policyPath)); err != nil {
		return nil, err
	}
	if err := put(t.root, policyPath, []byte(policy), 0o755); err != nil {
		return nil, err
	}
	return func() error {
		if err := t.root.Remove(policyPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rootfs: %w", err)
		}
		return nil
	}, nil
}

// dpkgUnpack has dpkg unpack what forge could not.
func (t *tree) dpkgUnpack(ctx context.Context, units []*unit) error {
	s := sandbox.Spec{Args: []string{"dpkg", "--unpack", "--force-unsafe-io"}}
	for _, u := range units {
		if u.slow == "" {
			continue
		}
		fmt.Fprintf(t.log, "dpkg unpacks %s: %s\n", u.Name, u.slow)
		source, err := filepath.Abs(u.Path)
		if err != nil {
			return fmt.Errorf("rootfs: %w", err)
		}
		target := fmt.Sprintf("/run/forge/%s_%s.deb", u.Name, u.Arch)
		s.Binds = append(s.Binds, sandbox.Bind{Source: source, Target: target, ReadOnly: true})
		s.Args = append(s.Args, target)
	}
	return t.dpkg(ctx, s)
}

func (t *tree) dpkgConfigure(ctx context.Context, units []*unit, options ...string) error {
	if len(units) == 0 {
		return nil
	}
	s := sandbox.Spec{Args: append([]string{"dpkg", "--force-unsafe-io"}, options...)}
	s.Args = append(s.Args, "--configure")
	for _, u := range units {
		s.Args = append(s.Args, u.Name)
	}
	return t.dpkg(ctx, s)
}

// What dpkg says when a package fails (with LC_ALL=C.UTF-8).
var (
	dpkgFailed   = regexp.MustCompile(`(?m)^dpkg: error processing (?:package|archive) (\S+)`)
	scriptFailed = regexp.MustCompile(`(?m)^ (?:installed|new|old) (\S+) package (pre|post)-(installation|removal) script subprocess`)
)

func (t *tree) dpkg(ctx context.Context, s sandbox.Spec) error {
	s.Binds = append(s.Binds, t.binds...)
	err := t.run(ctx, s)
	var exit *sandbox.ExitError
	if err == nil || !errors.As(err, &exit) {
		if err != nil {
			return fmt.Errorf("rootfs: %w", err)
		}
		return nil
	}
	out := t.log.tail()
	failure := &ScriptError{Package: "dpkg", Output: out, Err: err}
	if m := dpkgFailed.FindStringSubmatch(out); m != nil {
		failure.Package = strings.TrimSuffix(m[1], ":")
	}
	if m := scriptFailed.FindStringSubmatch(out); m != nil {
		failure.Package = m[1]
		failure.Script = m[2] + map[string]string{"installation": "inst", "removal": "rm"}[m[3]]
	}
	return failure
}

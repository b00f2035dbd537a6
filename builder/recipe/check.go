package recipe

import (
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Shapes of names.
var (
	namePattern    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	packagePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)
	suitePattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9./-]*$`)
	featurePattern = regexp.MustCompile(`^\^?[a-z0-9_]+$`)
	envPattern     = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	originPattern  = regexp.MustCompile(`^[A-Za-z0-9 .-]+$`)
)

// check holds a loaded stack together: references, paths, ids.
func (l *loader) check(s *Stack) {
	l.checkStack(s, l.docs[s.Path])
	for _, name := range sortedKeys(s.Components) {
		c := s.Components[name]
		ck := &componentCheck{loader: l, stack: s, c: c, d: l.docs[c.Path]}
		ck.run()
	}
	l.checkUnique(s)
	for _, name := range sortedKeys(s.Roles) {
		l.checkRole(s, s.Roles[name])
	}
	for _, name := range sortedKeys(s.ToolRoles) {
		l.checkRole(s, s.ToolRoles[name])
		l.checkTool(s, s.ToolRoles[name])
	}
	l.checkOwners(s)
}

func (l *loader) checkStack(s *Stack, d *document) {
	l.needed(d, "distribution", s.Distribution.Suite != "")
	l.needed(d, "arch", len(s.Arch) > 0)
	l.needed(d, "apt", len(s.Apt.Suites) > 0)
	l.needed(d, "tools", len(s.Tools.Apt.Suites) > 0)
	l.needed(d, "boot", len(s.Boot.Kernels) > 0)
	checkApt(d, "apt", s.Apt)
	checkApt(d, "tools/apt", s.Tools.Apt)
	if !strings.Contains(s.Maintainer, " <") || !strings.HasSuffix(s.Maintainer, ">") {
		d.errorf("maintainer", `write "Name <mail@host>"`, "maintainer %q has no mail address", s.Maintainer)
	}
	packages := map[string][]string{
		"rootfs/packages": s.Rootfs.Packages, "container/packages": s.Container.Packages,
		"boot/packages": s.Boot.Packages, "tools/image": s.Tools.Image, "tools/boot": s.Tools.Boot, "tools/java": s.Tools.Java,
		"tools/publish": s.Tools.Publish,
	}
	for k, v := range s.Boot.Kernels {
		packages["boot/kernels/"+string(k)] = v
		if k != KernelCloud && k != KernelGeneric {
			d.errorf("boot/kernels/"+string(k), didYouMean(string(k), []string{"cloud", "generic"}), "unknown kernel flavour %q", k)
		}
	}
	for _, at := range sortedKeys(packages) {
		checkPackages(d, at, packages[at])
	}
	if len(s.Boot.Kernels) > 0 && len(s.Boot.KernelPackages()) == 0 {
		d.errorf("boot/kernel", "", "boot.kernel is %q, but boot.kernels has no packages for it", s.Boot.Kernel)
	}
	for i, f := range s.Boot.Disk.Ext4Features {
		if !featurePattern.MatchString(f) {
			d.errorf("boot/disk/ext4_features/"+strconv.Itoa(i), "", "%q can't be an ext4 feature", f)
		}
	}
	if s.Boot.Disk.SizeMiB < 0 {
		d.errorf("boot/disk/size_mib", "", "size_mib is negative")
	}
	l.overlay(d, "rootfs/overlay", s.Rootfs.Overlay)
	l.overlay(d, "container/overlay", s.Container.Overlay)
	l.overlay(d, "boot/overlay", s.Boot.Overlay)
}

// needed reports a section that neither the stack nor a parent has.
func (l *loader) needed(d *document, key string, ok bool) {
	if !ok {
		d.errorf(key, "", "key %q is missing, and no parent stack has it", key)
	}
}

func checkApt(d *document, at string, a Apt) {
	if len(a.Suites) == 0 && !d.has(at) {
		return
	}
	if !originPattern.MatchString(a.Origin) {
		d.errorf(at+"/origin", "", "%q can't be an archive's Origin", a.Origin)
	}
	for key, list := range map[string][]string{"suites": a.Suites, "components": a.Components} {
		if len(list) == 0 {
			d.errorf(at+"/"+key, "", "%s is empty", key)
		}
		for i, v := range list {
			if !suitePattern.MatchString(v) {
				d.errorf(at+"/"+key+"/"+strconv.Itoa(i), "", "%q can't stand in apt's sources", v)
			}
		}
	}
	seen := map[string]bool{}
	for i, m := range a.More {
		sub := at + "/more/" + strconv.Itoa(i)
		if seen[m.Name] {
			d.errorf(sub+"/name", "", "archive %q is there twice", m.Name)
		}
		seen[m.Name] = true
		for key, list := range map[string][]string{"suites": m.Suites, "components": m.Components} {
			if len(list) == 0 {
				d.errorf(sub+"/"+key, "", "%s is empty", key)
			}
			for j, v := range list {
				if !suitePattern.MatchString(v) {
					d.errorf(sub+"/"+key+"/"+strconv.Itoa(j), "", "%q can't stand in apt's sources", v)
				}
			}
		}
	}
	checkTargetPath(d, at+"/keyring", a.Keyring)
	if a.Mirror != "" {
		checkURL(d, at+"/mirror", a.Mirror)
	}
}

// checkPackages checks a list of Debian package names.
func checkPackages(d *document, at string, names []string) {
	for i, name := range names {
		sub := at + "/" + strconv.Itoa(i)
		if !packagePattern.MatchString(name) {
			d.errorf(sub, "", "%q is not the name of a Debian package", name)
		}
		if slices.Contains(names[:i], name) {
			d.errorf(sub, "", "package %q is listed twice", name)
		}
	}
}

// checkTargetPath checks a path on the target: absolute, clean, plain.
func checkTargetPath(d *document, at, p string) {
	switch {
	case !strings.HasPrefix(p, "/"):
		d.errorf(at, "", "path %q must be absolute", p)
	case path.Clean(p) != p || p == "/":
		d.errorf(at, "write "+path.Clean(p), "path %q is not clean", p)
	case strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }):
		d.errorf(at, "", "path %q holds control characters", p)
	}
}

// checkSourcePath checks that a file of the stack's folder exists.
func (l *loader) checkSourcePath(d *document, at, dir, p string) {
	if !fs.ValidPath(p) || p == "." {
		d.errorf(at, "", "path %q must lie in the stack's folder, %s", p, dir)
		return
	}
	l.digest(d, at, path.Join(dir, p))
}

// digest reads a file of the checkout that goes into a package, for [Input].
func (l *loader) digest(d *document, at, file string) {
	if _, known := l.digests[file]; known {
		return
	}
	info, err := fs.Stat(l.fsys, file)
	if err != nil {
		d.errorf(at, "", "there is no file %s", file)
		return
	}
	if !info.Mode().IsRegular() {
		d.errorf(at, "", "%s is not a plain file", file)
		return
	}
	sum, _, err := digestFile(l.fsys, file, maxOverlaySize)
	if err != nil {
		d.errorf(at, "", "can't be read: %v", err)
		return
	}
	l.digests[file] = sum
}

func checkURL(d *document, at, s string) {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		d.errorf(at, "", "%q is not an http or https URL", s)
	}
}

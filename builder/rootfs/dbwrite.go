package rootfs

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// notInstalled are files of a package's control part that dpkg does not keep.
var notInstalled = map[string]bool{"control": true}

// writeDatabase registers the unpacked packages as dpkg --unpack would have. all are the packages
// that will be there in the end, whoever unpacks them.
func (t *tree) writeDatabase(fast, all []*unit) error {
	for _, u := range fast {
		if err := t.writeInfo(u); err != nil {
			return fmt.Errorf("rootfs: register %s: %w", u.Name, err)
		}
	}
	if err := t.dropReplaced(fast); err != nil {
		return err
	}
	status := bytes.NewBuffer(t.db.status)
	for _, u := range fast {
		writeStanza(status, u)
	}
	if err := t.write("status", status.Bytes()); err != nil {
		return err
	}
	if err := t.writeTriggers(fast); err != nil {
		return err
	}
	return t.writeMarks(all)
}

func (t *tree) write(name string, content []byte) error {
	return put(t.root, dpkgDir+"/"+name, content, 0o644)
}

// writeInfo writes the files of the info directory.
func (t *tree) writeInfo(u *unit) error {
	base := dpkgDir + "/info/" + u.infoName() + "."
	for _, name := range slices.Sorted(maps.Keys(u.deb.Files)) {
		if notInstalled[name] {
			continue
		}
		mode := os.FileMode(u.deb.Modes[name] & 0o777)
		if err := put(t.root, base+name, u.deb.Files[name], mode); err != nil {
			return err
		}
		if err := t.root.Chtimes(base+name, time.Time{}, u.newest); err != nil {
			return err
		}
	}
	var list bytes.Buffer
	for _, p := range u.paths {
		if !p.lost {
			list.WriteString(strings.TrimSuffix("/"+p.listed, "/"))
			list.WriteByte('\n')
		}
	}
	return put(t.root, base+"list", list.Bytes(), 0o644)
}

// dropReplaced takes files that new packages took over out of the lists of their old owners.
func (t *tree) dropReplaced(units []*unit) error {
	gone := map[string]map[string]bool{} // old owner -> canonical paths
	for _, u := range units {
		for _, p := range u.paths {
			if owner, ok := t.db.owners[canonical(p.Name)]; ok && !isDir(p) && !p.lost {
				if gone[owner] == nil {
					gone[owner] = map[string]bool{}
				}
				gone[owner][canonical(p.Name)] = true
			}
		}
	}
	for owner, paths := range gone {
		name := dpkgDir + "/info/" + listName(t.db.packages[owner]) + ".list"
		old, err := t.root.ReadFile(name)
		if err != nil {
			return fmt.Errorf("rootfs: %w", err)
		}
		var kept bytes.Buffer
		for line := range bytes.Lines(old) {
			if !paths[canonical(strings.Trim(string(line), "/\n"))] {
				kept.Write(line)
			}
		}
		if err := put(t.root, name, kept.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeStanza writes a package's paragraph of the status file. dpkg puts the fields into its own
// order when it next writes the file.
func writeStanza(b *bytes.Buffer, u *unit) {
	fmt.Fprintf(b, "Package: %s\nStatus: install ok unpacked\n", u.Name)
	for _, f := range u.deb.Control {
		switch f.Name {
		case "Package", "Status", "Conffiles":
			continue
		}
		fmt.Fprintf(b, "%s: %s\n", f.Name, strings.ReplaceAll(f.Value, "\n", "\n "))
	}
	if len(u.deb.Conffiles) > 0 {
		b.WriteString("Conffiles:\n")
		for _, name := range u.deb.Conffiles {
			fmt.Fprintf(b, " %s newconffile\n", name)
		}
	}
	b.WriteByte('\n')
}

// writeTriggers registers what packages are interested in (deb-triggers(5)), and activates the
// triggers of packages that are installed already: in triggers/Unincorp, from where dpkg takes
// them when it next runs. A package that is only unpacked needs none: its postinst will do the work.
func (t *tree) writeTriggers(units []*unit) error {
	files, err := readOptional(t.root, dpkgDir+"/triggers/File")
	if err != nil {
		return err
	}
	named := map[string]*bytes.Buffer{}
	active := map[string]bool{}
	for _, u := range units {
		for line := range strings.Lines(string(u.deb.Files["triggers"])) {
			code, _, _ := strings.Cut(line, "#")
			f := strings.Fields(code)
			if len(f) != 2 {
				continue
			}
			directive, noawait := strings.CutSuffix(f[0], "-noawait")
			switch directive {
			case "interest", "interest-await":
				entry := u.infoName()
				if noawait {
					entry += "/noawait"
				}
				if strings.HasPrefix(f[1], "/") {
					files = fmt.Appendf(files, "%s %s\n", f[1], entry)
					continue
				}
				if named[f[1]] == nil {
					old, err := readOptional(t.root, dpkgDir+"/triggers/"+f[1])
					if err != nil {
						return err
					}
					named[f[1]] = bytes.NewBuffer(old)
				}
				fmt.Fprintln(named[f[1]], entry)
			case "activate", "activate-await":
				active[f[1]] = true
			}
		}
		t.activateByFile(u, active)
	}
	if err := t.write("triggers/File", files); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if err := t.write("triggers/"+name, named[name].Bytes()); err != nil {
			return err
		}
	}
	if len(t.db.packages) == 0 {
		return nil
	}
	var pending bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(active)) {
		fmt.Fprintf(&pending, "%s -\n", name)
	}
	return t.write("triggers/Unincorp", pending.Bytes())
}

// activateByFile notes the file triggers of installed packages that u's files set off.
func (t *tree) activateByFile(u *unit, active map[string]bool) {
	for _, interest := range t.db.interests {
		for _, p := range u.paths {
			if p.listed == interest || strings.HasPrefix(p.listed, interest+"/") {
				active["/"+interest] = true
				break
			}
		}
	}
}

// writeMarks adds to apt's record of what is only there for others. The core is there for its own
// sake.
func (t *tree) writeMarks(units []*unit) error {
	const name = "var/lib/apt/extended_states"
	marks, err := readOptional(t.root, name)
	if err != nil {
		return err
	}
	before := len(marks)
	order, core := configureOrder(units)
	for _, u := range units {
		if !u.Auto || slices.Contains(order[:core], u) {
			continue
		}
		arch := u.Arch
		if arch == "all" {
			arch = t.arch()
		}
		marks = fmt.Appendf(marks, "Package: %s\nArchitecture: %s\nAuto-Installed: 1\n\n", u.Name, arch)
	}
	if len(marks) == before {
		return nil
	}
	if err := makeDirs(t.root, path.Dir(name)); err != nil {
		return err
	}
	return put(t.root, name, marks, 0o644)
}

// arch is the tree's own architecture.
func (t *tree) arch() string {
	content, err := t.root.ReadFile(dpkgDir + "/arch")
	if first, _, ok := strings.Cut(string(content), "\n"); err == nil && ok {
		return first
	}
	return "amd64"
}

package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/compare"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/lock"
)

// The kinds of what Compare compares, and of the parts of its result.
const (
	kindBuild = "build"
	kindRole  = "role"
	kindImage = "image"
	kindDeb   = "deb"
	kindLock  = "lock"
)

// operand is one of the two things that are compared.
type operand struct {
	name, kind string
	parts      map[string]comparedPart // of a build by kind and name, else one
}

// comparedPart is a part of an operand.
type comparedPart struct {
	kind, name string
	dir        string            // of a role: its folder, with packages.json, lock and disks
	disks      map[string]string // of a role by name, what they are; nil: as they are in dir
	file       string            // of a deb or a lock
	image      *oci.Contents
}

// Compare says how b differs from a. Each is an output folder, the folder of a role in one, an OCI layout, a
// reference to an image in a registry, a .deb or a lock.
func Compare(ctx context.Context, a, b string, o oci.RemoteOptions) (*compare.Result, error) {
	x, err := openOperand(ctx, a, o)
	if err != nil {
		return nil, err
	}
	y, err := openOperand(ctx, b, o)
	if err != nil {
		return nil, err
	}
	if err := match(&x, &y); err != nil {
		return nil, err
	}
	return compareOperands(ctx, x, y)
}

func compareOperands(ctx context.Context, x, y operand) (*compare.Result, error) {
	res := &compare.Result{A: x.name, B: y.name, Same: true}
	reading := &compare.Reading{Keep: compare.KeepDatabase}
	images := false
	for key, p := range x.parts {
		images = images || p.image != nil && y.parts[key].image != nil
	}
	for _, key := range sortedNames(union(x.parts, y.parts)) {
		p, inA := x.parts[key]
		q, inB := y.parts[key]
		part := compare.Part{Kind: cmp.Or(q.kind, p.kind), Name: cmp.Or(q.name, p.name)}
		var err error
		switch {
		case !inA:
			part.Change = compare.Added
		case !inB:
			part.Change = compare.Removed
		default:
			if p.name != q.name && p.kind != kindDeb {
				part.Name = p.name + " -> " + q.name
			}
			// What packages hold is in the images, too: there it is told once.
			err = compareParts(ctx, reading, &part, p, q, x.kind == kindDeb || !images)
		}
		if err != nil {
			return nil, fmt.Errorf("compare %s with %s: %s %s: %w", x.name, y.name, part.Kind, part.Name, err)
		}
		res.Same = res.Same && part.Same()
		res.Parts = append(res.Parts, part)
	}
	return res, nil
}

func union[V any](a, b map[string]V) map[string]V {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func compareParts(ctx context.Context, r *compare.Reading, part *compare.Part, a, b comparedPart, files bool) error {
	switch part.Kind {
	case kindLock:
		return compareLocks(part, a.file, b.file)
	case kindDeb:
		return compareDebs(ctx, r, part, a.file, b.file, files)
	}
	return compareRoles(ctx, r, part, a, b)
}

// openOperand finds out what a word of the command line names.
func openOperand(ctx context.Context, name string, o oci.RemoteOptions) (operand, error) {
	fi, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if filepath.IsAbs(name) || strings.HasPrefix(name, ".") || !strings.Contains(name, "/") {
			return operand{}, fmt.Errorf("%s: there is no such file or folder; an image in a registry is named with its host, like registry.example/cluster/slave:1", name)
		}
		image, err := oci.OpenRemote(ctx, name, o)
		if err != nil {
			return operand{}, fmt.Errorf("%s is no file here, and: %w", name, err)
		}
		return single(name, comparedPart{kind: kindImage, name: cmp.Or(image.Info.Role, name), image: image}), nil
	case err != nil:
		return operand{}, err
	case fi.IsDir():
		return openFolder(name)
	}
	return openFile(name)
}

// single is an operand of one part.
func single(name string, p comparedPart) operand {
	return operand{name: name, kind: p.kind, parts: map[string]comparedPart{p.kind: p}}
}

// openFile tells packages and locks apart by their first bytes.
func openFile(name string) (operand, error) {
	f, err := os.Open(name)
	if err != nil {
		return operand{}, err
	}
	defer f.Close()
	head := make([]byte, len("!<arch>\n"))
	if _, err := io.ReadFull(f, head); err != nil {
		return operand{}, fmt.Errorf("%s: neither a .deb nor a lock: %w", name, err)
	}
	if string(head) == "!<arch>\n" {
		return single(name, comparedPart{kind: kindDeb, name: filepath.Base(name), file: name}), nil
	}
	if _, err := lock.Read(name); err != nil {
		return operand{}, fmt.Errorf("%s: neither a .deb nor a lock: %w", name, err)
	}
	return single(name, comparedPart{kind: kindLock, file: name}), nil
}

func openFolder(dir string) (operand, error) {
	if exists(filepath.Join(dir, "oci-layout")) {
		image, err := oci.OpenLayout(dir)
		if err != nil {
			return operand{}, err
		}
		return single(dir, comparedPart{kind: kindImage, name: image.Info.Role, image: image}), nil
	}
	if exists(filepath.Join(dir, lockFile)) {
		p, err := openRole(dir)
		return single(dir, p), err
	}
	o := operand{name: dir, kind: kindBuild, parts: map[string]comparedPart{}}
	names, err := os.ReadDir(dir)
	if err != nil {
		return o, err
	}
	for _, e := range names {
		if !e.IsDir() || !exists(filepath.Join(dir, e.Name(), lockFile)) {
			continue
		}
		if o.parts[kindRole+" "+e.Name()], err = openRole(filepath.Join(dir, e.Name())); err != nil {
			return o, err
		}
	}
	debs, err := filepath.Glob(filepath.Join(escapeGlob(dir), "debs", "*.deb"))
	if err != nil {
		return o, err
	}
	for _, file := range debs {
		name := filepath.Base(file)
		parts := strings.Split(strings.TrimSuffix(name, ".deb"), "_") // NAME_VERSION_ARCH
		key := kindDeb + " " + parts[0] + "_" + parts[len(parts)-1]
		if _, twice := o.parts[key]; twice {
			key = kindDeb + " " + name
		}
		o.parts[key] = comparedPart{kind: kindDeb, name: name, file: file}
	}
	if len(o.parts) == 0 {
		return o, fmt.Errorf("%s: nothing that forge build made is there: no role's folder, no image, no packages", dir)
	}
	return o, nil
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

func openRole(dir string) (comparedPart, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return comparedPart{}, err
	}
	p := comparedPart{kind: kindRole, name: filepath.Base(abs), dir: dir}
	if layout := filepath.Join(dir, "image"); exists(filepath.Join(layout, "oci-layout")) {
		p.image, err = oci.OpenLayout(layout)
	}
	return p, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// match brings the parts of two operands together: those of builds by their names; else each has to be, or to hold,
// one part of a kind that fits the other.
func match(a, b *operand) error {
	if a.kind == kindBuild && b.kind == kindBuild {
		return nil
	}
	wanted := ""
	for _, o := range []*operand{a, b} {
		if p, one := o.parts[kindImage]; one {
			wanted = p.name
		}
		if p, one := o.parts[kindRole]; one {
			wanted = p.name
		}
	}
	p, errA := a.only(wanted)
	q, errB := b.only(wanted)
	if err := cmp.Or(errA, errB); err != nil {
		return err
	}
	if p.kind == kindImage || q.kind == kindImage {
		if p.image == nil || q.image == nil {
			return fmt.Errorf("%s is a %s, %s a %s: these can't be compared", a.name, a.kind, b.name, b.kind)
		}
		p.kind, q.kind = kindImage, kindImage
		p.dir, q.dir = "", "" // what lies beside one of them has nothing to be compared with
	}
	if p.kind != q.kind {
		return fmt.Errorf("%s is a %s, %s a %s: these can't be compared", a.name, a.kind, b.name, b.kind)
	}
	a.parts, b.parts = map[string]comparedPart{p.kind: p}, map[string]comparedPart{p.kind: q}
	return nil
}

// only is the one part of an operand; of a build that of the role, or of its only one.
func (o *operand) only(role string) (comparedPart, error) {
	if o.kind != kindBuild {
		for _, p := range o.parts {
			return p, nil
		}
	}
	var roles []comparedPart
	for _, key := range slices.Sorted(maps.Keys(o.parts)) {
		if p := o.parts[key]; p.kind == kindRole {
			roles = append(roles, p)
		}
	}
	if p, ok := o.parts[kindRole+" "+role]; ok {
		return p, nil
	}
	if len(roles) == 1 {
		return roles[0], nil
	}
	return comparedPart{}, fmt.Errorf("%s holds %d roles: name the folder of one", o.name, len(roles))
}

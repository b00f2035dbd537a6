package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	spec "github.com/opencontainers/image-spec/specs-go/v1"
	spdxjson "github.com/spdx/tools-golang/json"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/publish"
	"github.com/mesos-forge/forge/builder/publish/provenance"
	"github.com/mesos-forge/forge/builder/publish/sign"
)

// Inspection is what a result says about itself, and what goes with it. None of it is verified.
type Inspection struct {
	Name     string     `json:"name"`
	Kind     string     `json:"kind"`   // "image", "package", "disk" or "file"
	Digest   string     `json:"digest"` // of the manifest or the file
	Size     int64      `json:"size"`   // bytes; of an image, its layers compressed
	Stack    string     `json:"stack,omitempty"`
	Roles    []string   `json:"roles,omitempty"`
	Version  string     `json:"version,omitempty"`
	StandIns []string   `json:"standins,omitempty"`
	Image    *oci.Info  `json:"image,omitempty"`
	Fields   []Field    `json:"fields,omitempty"`   // of a package's control file
	Packages []Package  `json:"packages,omitempty"` // in an image, or the software in a package
	Inputs   int        `json:"inputs,omitempty"`   // that the provenance names
	Attached []Attached `json:"attached,omitempty"` // beside an image in a registry, or the file in its folder
}

// Package is a name with a version.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Field is one line of a package's control file.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// InspectImage describes an image or a disk in a registry, without fetching its layers.
func InspectImage(ctx context.Context, ref string, o oci.RemoteOptions) (*Inspection, error) {
	info, err := oci.InspectRemote(ctx, ref, o)
	if err != nil {
		return nil, err
	}
	at, err := o.AtDigest(ref, info.Digest)
	if err != nil {
		return nil, err
	}
	out := ofImage(at, info)
	found, err := referrers(ctx, at, "", o)
	if err != nil {
		return nil, err
	}
	for _, r := range found {
		one := describe(r)
		if slices.Contains([]string{sign.BundleType, publish.SPDX, sign.PayloadType}, r.Type) {
			a, err := oci.ReadArtifact(ctx, r.Ref, o)
			if err != nil {
				return nil, err
			}
			out.take(&one, a.Content)
		}
		out.Attached = append(out.Attached, one)
	}
	return out, nil
}

func ofImage(name string, info oci.Info) *Inspection {
	out := &Inspection{Name: name, Kind: "image", Digest: info.Digest, Size: info.Size, Stack: info.Labels[oci.StackLabel],
		Version: info.Labels[spec.AnnotationVersion], StandIns: info.StandIns, Image: &info}
	if info.Disk != "" {
		out.Kind = "disk"
	}
	if info.Role != "" {
		out.Roles = []string{info.Role}
	}
	return out
}

// take adds what the content of an artifact tells. One that can't be read tells nothing.
func (i *Inspection) take(a *Attached, content []byte) {
	statement := content
	switch a.Type {
	case publish.SPDX:
		if packages, err := named(content, "Package-"); err == nil && i.Packages == nil {
			i.Packages = packages
		}
		return
	case sign.BundleType:
		b, err := sign.ParseBundle(content)
		if err != nil {
			return
		}
		a.KeyID = b.KeyID
		if statement, err = b.Unverified(); err != nil {
			return
		}
	}
	s, err := provenance.ReadStatement(statement)
	if err != nil {
		return
	}
	a.Predicate = s.PredicateType
	if p, err := provenance.Read(statement); err == nil {
		i.Inputs = len(p.Inputs)
	}
}

// named lists the packages of an SPDX document whose identifiers start with a prefix: "Package-" for Debian packages, "Part-" for what lies
// in them.
func named(text []byte, prefix string) ([]Package, error) {
	doc, err := spdxjson.Read(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	var out []Package
	for _, p := range doc.Packages {
		if p != nil && strings.HasPrefix(string(p.PackageSPDXIdentifier), prefix) {
			out = append(out, Package{p.PackageName, p.PackageVersion})
		}
	}
	return out, nil
}

// InspectFile describes a result in an output folder: an image layout, a package, a disk, or what tells about them. An
// image layout may lie anywhere.
func InspectFile(ctx context.Context, name string) (*Inspection, error) {
	var out *Inspection
	if oci.IsLayout(name) {
		info, err := oci.InspectLayout(name)
		if err != nil {
			return nil, err
		}
		out = ofImage(name, info)
	}
	f, rel, err := openFolder(name)
	if err != nil && out != nil && !errors.Is(err, fs.ErrNotExist) {
		return out, nil // a layout of somebody else
	}
	if err != nil {
		return nil, err
	}
	defer f.close()
	if out == nil {
		if out, err = f.describe(ctx, name, rel); err != nil {
			return nil, err
		}
	}
	return out, f.addBeside(out, rel)
}

// describe tells of a file what it is.
func (f *folder) describe(ctx context.Context, name, rel string) (*Inspection, error) {
	fi, err := f.root.Stat(filepath.FromSlash(rel))
	if err != nil {
		return nil, err
	}
	if fi.IsDir() {
		return nil, fmt.Errorf("%s is a folder and no image: name a file in it", name)
	}
	digest, err := f.digest(rel)
	if err != nil {
		return nil, err
	}
	out := &Inspection{Name: name, Kind: "file", Digest: "sha256:" + digest, Size: fi.Size()}
	switch {
	case strings.HasSuffix(rel, ".deb"):
		out.Kind = "package"
		return out, out.readDeb(ctx, name)
	case strings.HasPrefix(path.Base(rel), "disk."):
		out.Kind = "disk"
	}
	return out, nil
}

// addBeside adds what the files of the output folder tell about a result.
func (f *folder) addBeside(i *Inspection, rel string) error {
	roles, err := f.roles(false)
	if err != nil {
		return err
	}
	for _, role := range roles {
		text, err := f.read(role+"/"+builder.ProvenanceName, provenance.MaxStatement)
		if err != nil {
			return err
		}
		p, err := provenance.Read(text)
		if err != nil || !knows(p, rel, hexOf(i.Digest)) {
			continue
		}
		i.Stack, i.Inputs = p.Parameters.Stack, len(p.Inputs)
		if !slices.Contains(i.Roles, role) {
			i.Roles = append(i.Roles, role)
		}
		i.Attached = append(i.Attached, Attached{Type: sign.PayloadType, Title: role + "/" + builder.ProvenanceName, Predicate: provenance.PredicateType})
		if bundle, err := f.read(role+"/"+builder.BundleName, sign.MaxBundle); err == nil {
			one := Attached{Type: sign.BundleType, Title: role + "/" + builder.BundleName}
			i.take(&one, bundle)
			i.Attached = append(i.Attached, one)
		}
		if i.Kind == "image" || i.Kind == "disk" {
			f.addPackages(i, role)
		}
	}
	if sbom := rel + builder.SBOMSuffix; f.sums[sbom] != "" {
		if text, err := f.read(sbom, oci.MaxArtifact); err == nil {
			i.Attached = append(i.Attached, Attached{Type: publish.SPDX, Title: sbom})
			i.Packages, _ = named(text, "Part-")
		}
	}
	return nil
}

// addPackages adds the packages that a role's packages.json lists.
func (f *folder) addPackages(i *Inspection, role string) {
	text, err := f.read(role+"/packages.json", oci.MaxArtifact)
	var bill publish.Bill
	if err != nil || json.Unmarshal(text, &bill) != nil {
		return
	}
	i.Packages, i.StandIns = nil, bill.StandIns
	for _, p := range bill.Packages {
		i.Packages = append(i.Packages, Package{p.Name, p.Version})
	}
	i.Attached = append(i.Attached, Attached{Type: publish.SPDX, Title: role + "/" + sbomName})
}

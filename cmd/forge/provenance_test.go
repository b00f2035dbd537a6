package main_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdxlib"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/publish/provenance"
	"github.com/mesos-forge/forge/builder/store"
)

// eachDebHasAnSBOM reads the documents that lie beside the packages.
func (r *resultFolder) eachDebHasAnSBOM() {
	r.Helper()
	for _, deb := range r.role.Debs {
		doc, err := spdxjson.Read(bytes.NewReader(r.read(deb + builder.SBOMSuffix)))
		if err == nil {
			err = spdxlib.ValidateDocument(doc)
		}
		if err != nil {
			r.Errorf("SBOM of %s: %v", deb, err)
			continue
		}
		p := doc.Packages[0]
		if p.PackageChecksums[0].Value != store.DigestOf(r.read(deb)).Hex() || p.PackageHomePage == "" || p.PackageLicenseDeclared == "NOASSERTION" ||
			!strings.HasPrefix(p.PackageExternalReferences[0].Locator, "pkg:deb/mesos-forge/"+p.PackageName+"@") {
			r.Errorf("the SBOM of %s says %+v", deb, p)
		}
	}
}

// provenanceNamesEverything compares the provenance with the lock and with what lies in the folder.
func (r *resultFolder) provenanceNamesEverything() {
	r.Helper()
	p, err := provenance.Read(r.read(r.role.Provenance))
	if err != nil {
		r.Fatal(err)
	}
	if p.Parameters.Role != "slave" || p.Parameters.Stack != "bookworm" || p.Parameters.Profile != builder.ProfileLab || p.Versions["go"] == "" {
		r.Errorf("the provenance is of %+v, made with %v", p.Parameters, p.Versions)
	}
	if s, ok := p.Subject(r.role.Digest[len("sha256:"):]); !ok || s.Name != r.role.Image {
		r.Errorf("the provenance lacks the image %s", r.role.Digest)
	}
	if want := 1 + len(r.role.Debs) + len(r.role.Disks); len(p.Subjects) != want {
		r.Errorf("the provenance is about %d results, want %d", len(p.Subjects), want)
	}
	for _, f := range append(p.Subjects[1:len(p.Subjects):len(p.Subjects)], p.Byproducts...) {
		if got := fileHex(r, filepath.Join(r.out, f.Name)); got != f.SHA256 {
			r.Errorf("%s has sha256 %s, by the provenance %s", f.Name, got, f.SHA256)
		}
	}
	l, err := lock.Read(filepath.Join(r.out, r.role.Lock))
	if err != nil {
		r.Fatal(err)
	}
	known := map[string]bool{}
	for _, in := range p.Inputs {
		known[in.Digest["sha256"]] = true
	}
	if !known[fileHex(r, filepath.Join(r.out, r.role.Lock))] {
		r.Error("the provenance lacks the lock")
	}
	for _, a := range l.Artifacts {
		if !known[a.SHA256] {
			r.Errorf("the provenance lacks the artifact %s", a.Name)
		}
	}
	for solve, debs := range l.Debs {
		for _, d := range debs {
			if !known[d.SHA256] {
				r.Errorf("the provenance lacks the package %s of %s", d.Name, solve)
			}
		}
	}
}

func fileHex(r *resultFolder, path string) string {
	r.Helper()
	f, err := os.Open(path)
	if err != nil {
		r.Fatal(err)
	}
	defer f.Close()
	d, _, err := store.DigestReader(f)
	if err != nil {
		r.Fatal(err)
	}
	return d.Hex()
}

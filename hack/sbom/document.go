package main

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// namespace is where the names of documents start. It is a name, not a place (SPDX 2.3, 6.5).
const namespace = "https://github.com/mesos-forge/forge/spdx/"

const (
	noAssertion = "NOASSERTION"
	licence     = "Apache-2.0"
)

// notInID are the characters that an identifier may not have (SPDX 2.3, 7.2).
var notInID = regexp.MustCompile(`[^A-Za-z0-9.]+`)

// document is an SPDX document that is being made.
type document struct {
	doc   *spdx.Document
	known map[common.ElementID]bool
}

// write writes the document of a file with these programs. Its name follows from the file's digest.
func write(w io.Writer, file, digest string, created time.Time, programs []program) error {
	d := &document{known: map[common.ElementID]bool{}, doc: &spdx.Document{
		SPDXVersion: v2_3.Version, DataLicense: v2_3.DataLicense, SPDXIdentifier: "DOCUMENT", DocumentName: file,
		DocumentNamespace: namespace + file + "-" + digest,
		CreationInfo:      &spdx.CreationInfo{Created: created.UTC().Format(time.RFC3339), Creators: []spdx.Creator{{CreatorType: "Tool", Creator: "forge"}}},
	}}
	whole := d.own("Release", file, digest, "ARCHIVE")
	d.relate("DOCUMENT", common.TypeRelationshipDescribe, whole)
	for _, p := range programs {
		id := d.own("Program-"+path.Base(p.path), p.path, p.sha256, "APPLICATION")
		d.relate(whole, common.TypeRelationshipContains, id)
		for _, m := range modules(p.info) {
			d.relate(id, common.TypeRelationshipContains, d.module(m))
		}
	}
	if err := spdxjson.Write(d.doc, w, spdxjson.Indent("  "), spdxjson.EscapeHTML(false)); err != nil {
		return fmt.Errorf("write SPDX: %w", err)
	}
	return nil
}

// own adds something that forge's release made.
func (d *document) own(id, name, digest, purpose string) common.ElementID {
	return d.add(&spdx.Package{
		PackageSPDXIdentifier: element(id), PackageName: name, PackageFileName: name, PrimaryPackagePurpose: purpose,
		PackageChecksums:        []spdx.Checksum{{Algorithm: spdx.SHA256, Value: digest}},
		PackageSupplier:         &common.Supplier{SupplierType: "Organization", Supplier: "mesos-forge"},
		PackageDownloadLocation: noAssertion, PackageLicenseConcluded: noAssertion, PackageLicenseDeclared: licence, PackageCopyrightText: noAssertion,
	})
}

// module adds a module, once for all programs that have it.
func (d *document) module(m buildinfoModule) common.ElementID {
	return d.add(&spdx.Package{
		PackageSPDXIdentifier: element("Module-" + m.path + "-" + m.version), PackageName: m.path, PackageVersion: m.version,
		PackageSupplier: &common.Supplier{Supplier: noAssertion}, PrimaryPackagePurpose: "LIBRARY",
		PackageDownloadLocation: noAssertion, PackageLicenseConcluded: noAssertion, PackageLicenseDeclared: m.licence, PackageCopyrightText: noAssertion,
		PackageExternalReferences: []*spdx.PackageExternalReference{{Category: common.CategoryPackageManager,
			RefType: common.TypePackageManagerPURL, Locator: "pkg:golang/" + strings.ToLower(m.path) + "@" + m.version}},
	})
}

func (d *document) add(p *spdx.Package) common.ElementID {
	if !d.known[p.PackageSPDXIdentifier] {
		d.known[p.PackageSPDXIdentifier] = true
		d.doc.Packages = append(d.doc.Packages, p)
	}
	return p.PackageSPDXIdentifier
}

func (d *document) relate(a common.ElementID, how string, b common.ElementID) {
	d.doc.Relationships = append(d.doc.Relationships, &spdx.Relationship{
		RefA: common.DocElementID{ElementRefID: a}, RefB: common.DocElementID{ElementRefID: b}, Relationship: how})
}

type buildinfoModule struct{ path, version, licence string }

// modules returns what a Go program is linked from: the standard library and its modules.
func modules(info *buildinfo.BuildInfo) []buildinfoModule {
	out := []buildinfoModule{{"std", strings.TrimPrefix(info.GoVersion, "go"), "BSD-3-Clause"}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		out = append(out, buildinfoModule{m.Path, m.Version, noAssertion})
	}
	return out
}

// element makes an identifier; what differs in name stays different.
func element(name string) common.ElementID {
	name = strings.NewReplacer("-", "--", "_", "-u-", "+", "-plus-").Replace(name)
	return common.ElementID(strings.Trim(notInID.ReplaceAllString(name, "-"), "-"))
}

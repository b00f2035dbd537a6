package publish

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/mesos-forge/forge/builder/store"
)

// namespace is where the names of documents start. It is a name, not a place (SPDX 2.3, 6.5).
const namespace = "https://github.com/mesos-forge/forge/spdx/"

// WriteSBOM writes the bill as an SPDX 2.3 document in JSON. It describes the role's container
// image and disk; each contains the packages of its layers, and these contain their parts. refs
// are the licences that the bill names by reference.
func (b *Bill) WriteSBOM(w io.Writer, refs []Extracted) error {
	d := newDocument(b.Stack+"/"+b.Role, b.Created)
	if len(b.StandIns) > 0 {
		d.doc.DocumentComment = "Holds stand-ins, which are not the software whose name they have: " + strings.Join(b.StandIns, ", ") + "."
	}
	d.images(b)
	if err := d.finish(w, b.Stack+"-"+b.Role, refs); err != nil {
		return fmt.Errorf("SBOM of role %s: %w", b.Role, err)
	}
	return nil
}

// WriteSBOM writes an SPDX 2.3 document in JSON that describes the package alone, as the file that it is, with
// its parts. created is the time of the document, refs are the licences that the package names by reference.
func (p *Package) WriteSBOM(w io.Writer, created time.Time, refs []Extracted) error {
	name := p.Name + "_" + p.Version + "_" + p.Architecture
	d := newDocument(name, created.UTC().Truncate(time.Second))
	d.relate("DOCUMENT", common.TypeRelationshipDescribe, d.enter(p))
	if err := d.finish(w, notInID.ReplaceAllString(name, "-"), refs); err != nil {
		return fmt.Errorf("SBOM of package %s: %w", p.Name, err)
	}
	return nil
}

// document is an SPDX document that is being written.
type document struct {
	doc *spdx.Document
	ids map[common.ElementID]bool
}

func newDocument(name string, created time.Time) *document {
	return &document{ids: map[common.ElementID]bool{}, doc: &spdx.Document{
		SPDXVersion: v2_3.Version, DataLicense: v2_3.DataLicense, SPDXIdentifier: "DOCUMENT", DocumentName: name,
		CreationInfo: &spdx.CreationInfo{Created: created.Format(time.RFC3339), Creators: []spdx.Creator{{CreatorType: "Tool", Creator: "forge"}}},
	}}
}

// finish adds the licences and writes the document.
func (d *document) finish(w io.Writer, name string, refs []Extracted) error {
	for _, r := range refs {
		d.doc.OtherLicenses = append(d.doc.OtherLicenses, &spdx.OtherLicense{LicenseIdentifier: r.ID, LicenseName: r.Name, ExtractedText: r.Text})
	}
	// The name follows from the content, so that two documents have one name only if they are equal.
	digest, err := d.digest()
	if err != nil {
		return err
	}
	d.doc.DocumentNamespace = namespace + name + "-" + digest.Hex()
	return d.write(w)
}

func (d *document) write(w io.Writer) error {
	return spdxjson.Write(d.doc, w, spdxjson.Indent("  "), spdxjson.EscapeHTML(false))
}

func (d *document) digest() (store.Digest, error) {
	var content bytes.Buffer
	if err := d.write(&content); err != nil {
		return "", err
	}
	return store.DigestOf(content.Bytes()), nil
}

// images enters the two results and everything in them.
func (d *document) images(b *Bill) {
	image := d.result(b, "Image", "container image", "CONTAINER")
	var disk common.ElementID
	if !b.tool {
		disk = d.result(b, "Disk", "disk", "OPERATING-SYSTEM")
	}
	for i := range b.Packages {
		p := &b.Packages[i]
		id := d.enter(p)
		in := func(layer string) bool { return slices.Contains(p.Layers, layer) }
		if in(LayerBase) || in(LayerRole) || in(LayerContainer) {
			d.relate(image, common.TypeRelationshipContains, id)
		}
		if !b.tool && (in(LayerBase) || in(LayerRole) || in(LayerBoot)) {
			d.relate(disk, common.TypeRelationshipContains, id)
		}
	}
}

// enter adds a package and its parts.
func (d *document) enter(p *Package) common.ElementID {
	id := d.add(debian(p))
	for _, part := range p.Contains {
		d.relate(id, common.TypeRelationshipContains, d.add(partOf(p.Name, part)))
	}
	return id
}

func (d *document) result(b *Bill, id, what, purpose string) common.ElementID {
	added := d.add(&spdx.Package{
		PackageSPDXIdentifier: common.ElementID(id), PackageName: b.Role + " " + what, PackageVersion: b.Version,
		PackageDownloadLocation: NoAssertion, PackageLicenseConcluded: NoAssertion, PackageLicenseDeclared: NoAssertion,
		PackageCopyrightText: NoAssertion, PrimaryPackagePurpose: purpose,
		PackageSupplier: &common.Supplier{Supplier: NoAssertion},
	})
	d.relate("DOCUMENT", common.TypeRelationshipDescribe, added)
	return added
}

func (d *document) add(p *spdx.Package) common.ElementID {
	id := p.PackageSPDXIdentifier
	for n := 2; d.ids[p.PackageSPDXIdentifier]; n++ {
		p.PackageSPDXIdentifier = common.ElementID(fmt.Sprintf("%s-%d", id, n))
	}
	d.ids[p.PackageSPDXIdentifier] = true
	d.doc.Packages = append(d.doc.Packages, p)
	return p.PackageSPDXIdentifier
}

func (d *document) relate(a common.ElementID, how string, b common.ElementID) {
	d.doc.Relationships = append(d.doc.Relationships, &spdx.Relationship{
		RefA: common.DocElementID{ElementRefID: a}, RefB: common.DocElementID{ElementRefID: b}, Relationship: how})
}

// suppliers of packages, by their origin.
var suppliers = map[Origin]common.Supplier{
	FromDebian: {SupplierType: "Organization", Supplier: "Debian"},
	FromForge:  {SupplierType: "Organization", Supplier: "mesos-forge"},
}

func debian(p *Package) *spdx.Package {
	supplier, ok := suppliers[p.Origin]
	if !ok {
		supplier = common.Supplier{Supplier: NoAssertion}
	}
	out := &spdx.Package{
		PackageSPDXIdentifier: elementID("Package", p.Name, p.Architecture), PackageName: p.Name, PackageVersion: p.Version,
		PackageSupplier: &supplier, PackageDownloadLocation: NoAssertion, PackageHomePage: p.Homepage,
		PackageChecksums:        []spdx.Checksum{{Algorithm: spdx.SHA256, Value: p.SHA256}},
		PackageLicenseConcluded: NoAssertion, PackageLicenseDeclared: p.Licence, PackageCopyrightText: NoAssertion,
		PackageExternalReferences: purl(p.Purl),
	}
	if p.Origin == FromDebian {
		out.PackageSourceInfo = "built from the source package " + p.Source + " " + p.SourceVersion
	}
	if p.LicenceFile != "" {
		out.PackageLicenseComments = "The package's own words are in " + p.LicenceFile + " of the image; they are about its whole source package."
	}
	if p.StandIn {
		out.PackageComment = "Stand-in: a test double, not the software whose name it has."
	}
	return out
}

func partOf(name string, p Part) *spdx.Package {
	out := &spdx.Package{
		PackageSPDXIdentifier: elementID("Part", name, p.Name, p.Version), PackageName: p.Name, PackageVersion: p.Version, PackageFileName: p.File,
		PackageSupplier: &common.Supplier{Supplier: NoAssertion}, PackageDownloadLocation: NoAssertion,
		PackageLicenseConcluded: NoAssertion, PackageLicenseDeclared: p.Licence, PackageCopyrightText: NoAssertion,
		PackageExternalReferences: purl(p.Purl), PrimaryPackagePurpose: "LIBRARY",
	}
	if p.SHA256 != "" {
		out.PackageChecksums = []spdx.Checksum{{Algorithm: spdx.SHA256, Value: p.SHA256}}
	}
	return out
}

func purl(locator string) []*spdx.PackageExternalReference {
	return []*spdx.PackageExternalReference{{Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: locator}}
}

// elementID makes an identifier of letters, digits, "." and "-" (SPDX 2.3, 7.2).
func elementID(parts ...string) common.ElementID {
	for i, p := range parts {
		parts[i] = strings.Trim(notInID.ReplaceAllString(strings.ReplaceAll(p, "+", "-plus"), "-"), "-")
	}
	return common.ElementID(strings.Join(parts, "-"))
}

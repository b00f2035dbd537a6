package publish_test

import (
	"bytes"
	"strings"
	"testing"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdxlib"

	"github.com/mesos-forge/forge/builder/publish"
)

// TestPackageSBOM: the document of one package describes it alone, and names what lies in it.
func TestPackageSBOM(t *testing.T) {
	p := pkg("forge-hadoop", "1.2.1-1~standin1")
	p.Origin, p.Homepage, p.Licence, p.StandIn = publish.FromForge, "https://hadoop.example.invalid/", "Apache-2.0 AND LicenseRef-x", true
	p.Contains = []publish.Part{{Name: "asm:asm", Version: "3.1", Purl: "pkg:maven/asm/asm@3.1", SHA256: strings.Repeat("b", 64), File: "asm-3.1.jar", Licence: "BSD-3-Clause"}}
	refs := []publish.Extracted{{ID: "LicenseRef-x", Name: "x", Text: "Do as you like."}}
	var out, again bytes.Buffer
	for _, w := range []*bytes.Buffer{&out, &again} {
		if err := p.WriteSBOM(w, epoch, refs); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Error("the same package gives other bytes")
	}
	doc, err := spdxjson.Read(&out)
	if err == nil {
		err = spdxlib.ValidateDocument(doc)
	}
	if err != nil {
		t.Fatal(err)
	}
	if ids, err := spdxlib.GetDescribedPackageIDs(doc); err != nil || len(ids) != 1 || ids[0] != "Package-forge-hadoop-amd64" {
		t.Errorf("the document describes %v, %v", ids, err)
	}
	if len(doc.Packages) != 2 || len(doc.OtherLicenses) != 1 {
		t.Fatalf("%d packages, %d licences", len(doc.Packages), len(doc.OtherLicenses))
	}
	for i, want := range []struct{ name, licence, purl, home string }{
		{"forge-hadoop", p.Licence, p.Purl, p.Homepage},
		{"asm:asm", "BSD-3-Clause", "pkg:maven/asm/asm@3.1", ""},
	} {
		got := doc.Packages[i]
		if got.PackageName != want.name || got.PackageLicenseDeclared != want.licence || got.PackageExternalReferences[0].Locator != want.purl || got.PackageHomePage != want.home {
			t.Errorf("package %d is %+v, want %+v", i+1, got, want)
		}
	}
	if !strings.Contains(doc.Packages[0].PackageComment, "Stand-in") {
		t.Errorf("the stand-in is not called one: %q", doc.Packages[0].PackageComment)
	}
}

package publish_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdxlib"

	"github.com/mesos-forge/forge/builder/publish"
	"github.com/mesos-forge/forge/builder/store"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got), write it anew with -update:\n%s", path, diff)
	}
}

func TestGolden(t *testing.T) {
	var lists, sboms [2]bytes.Buffer
	for i := range 2 {
		bill, refs, err := publish.Collect(sample(t)) // in other folders each time
		if err != nil {
			t.Fatal(err)
		}
		if err := bill.Write(&lists[i]); err != nil {
			t.Fatal(err)
		}
		if err := bill.WriteSBOM(&sboms[i], refs); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(lists[0].Bytes(), lists[1].Bytes()) || !bytes.Equal(sboms[0].Bytes(), sboms[1].Bytes()) {
		t.Error("the same inputs give other bytes")
	}
	golden(t, "packages.json", lists[0].Bytes())
	golden(t, "sbom.spdx.json", sboms[0].Bytes())
}

// TestSBOMIsValid has another reader than the writer's own types look at the document.
func TestSBOMIsValid(t *testing.T) {
	bill, refs, err := publish.Collect(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	doc := readSBOM(t, bill, refs)
	if doc.CreationInfo.Created != "2025-11-23T00:00:00Z" || len(doc.OtherLicenses) != len(refs) {
		t.Errorf("created %s, %d licences", doc.CreationInfo.Created, len(doc.OtherLicenses))
	}
	contents := map[string][]string{} // names by the container's
	names := map[string]string{"DOCUMENT": "document"}
	for _, p := range doc.Packages {
		names[string(p.PackageSPDXIdentifier)] = p.PackageName
	}
	for _, r := range doc.Relationships {
		of := names[string(r.RefA.ElementRefID)]
		contents[of] = append(contents[of], names[string(r.RefB.ElementRefID)])
	}
	want := map[string][]string{
		"document":              {"slave container image", "slave disk"},
		"slave container image": {"forge-hadoop", "gcc-12-base", "libc6", "libstdc++6", "mesos", "runit"},
		"slave disk":            {"forge-hadoop", "gcc-12-base", "libc6", "libstdc++6", "linux", "mesos", "runit"},
		"forge-hadoop":          {"asm:asm"},
	}
	if diff := cmp.Diff(want, contents); diff != "" {
		t.Errorf("what contains what (-want +got):\n%s", diff)
	}

	// Another content has another name, the same one has the same.
	bill.Packages[0].Version = "1.2.1-2"
	if other := readSBOM(t, bill, refs); other.DocumentNamespace == doc.DocumentNamespace {
		t.Error("two documents have one name")
	}
}

func readSBOM(t *testing.T, bill *publish.Bill, refs []publish.Extracted) *spdx.Document {
	t.Helper()
	var b bytes.Buffer
	if err := bill.WriteSBOM(&b, refs); err != nil {
		t.Fatal(err)
	}
	doc, err := spdxjson.Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestTwoPackagesOfOneName(t *testing.T) {
	bill := &publish.Bill{Stack: "s", Role: "r", Packages: []publish.Package{pkg("a", "1"), pkg("a", "1")}}
	var ids []string
	for _, p := range readSBOM(t, bill, nil).Packages {
		ids = append(ids, string(p.PackageSPDXIdentifier))
	}
	if want := []string{"Image", "Disk", "Package-a-amd64", "Package-a-amd64-2"}; !slices.Equal(ids, want) {
		t.Errorf("identifiers %v, want %v", ids, want)
	}
}

func TestWriteSums(t *testing.T) {
	dir := t.TempDir()
	sums := map[string]store.Digest{}
	for _, name := range []string{"b", "a/ä b", "a/~standin.deb"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
		sums[name] = store.DigestOf([]byte(name))
	}
	write := func() error {
		var b bytes.Buffer
		if err := publish.WriteSums(&b, sums); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), b.Bytes(), 0o644)
	}
	check := func() (string, error) {
		cmd := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	if out, err := check(); err != nil || strings.Count(out, ": OK\n") != 3 {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
	sums["b"] = store.DigestOf(nil)
	if err := write(); err != nil {
		t.Fatal(err)
	}
	if out, err := check(); err == nil || !strings.Contains(out, "b: FAILED") {
		t.Errorf("sha256sum of a wrong digest: %v\n%s", err, out)
	}
	for _, bad := range []string{"a\nb", `a\b`} {
		if err := publish.WriteSums(&bytes.Buffer{}, map[string]store.Digest{bad: sums["b"]}); err == nil {
			t.Errorf("the name %q was written", bad)
		}
	}
	if err := publish.WriteSums(&bytes.Buffer{}, map[string]store.Digest{"a": "sha256:1"}); err == nil {
		t.Error("a digest of one digit was written")
	}
}

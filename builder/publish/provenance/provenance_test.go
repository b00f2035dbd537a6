package provenance_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/publish/provenance"
)

func hex(c string) string { return strings.Repeat(c, 64) }

func sample() provenance.Build {
	deb := lock.Deb{Name: "libc6", Version: "2.36-9+deb12u10", Arch: "amd64", SHA256: hex("d"), Filename: "pool/main/g/glibc/libc6.deb"}
	return provenance.Build{
		Parameters: provenance.Parameters{Stack: "bookworm", Role: "slave", Profile: "lab", Formats: []string{"qcow2"}, DiskSize: 20 << 30,
			Epoch: time.Date(2025, 11, 23, 0, 0, 0, 0, time.UTC), Accept: []string{"F25"}},
		Forge: provenance.Checkout{Version: "v1.2.3", Commit: strings.Repeat("c", 40), Recipes: hex("e"), Tools: map[string]string{"go": "go1.26.4"}},
		Lock: &lock.Lock{
			Suites:    []lock.Suite{{Archive: "debian", Name: "bookworm", SHA256: hex("1")}},
			Artifacts: []lock.Artifact{{Name: "hadoop/asm", Purl: "pkg:maven/asm/asm@3.1", SHA256: hex("2")}},
			Builds:    map[string][]lock.BuildFile{"hadoop-mesos": {{Path: "org/x.pom", SHA256: hex("3")}}},
			Debs:      map[string][]lock.Deb{"base": {deb}, "tools": {deb, {Name: "e2fsprogs", Version: "1.47.2", Arch: "amd64", SHA256: hex("4")}}},
		},
		LockDigest: hex("f"),
		Subjects:   []provenance.File{{Name: "slave/image", SHA256: hex("a"), MediaType: "application/vnd.oci.image.manifest.v1+json"}, {Name: "debs/x.deb", SHA256: hex("b")}},
		Byproducts: []provenance.File{{Name: "slave/sbom.spdx.json", SHA256: hex("9")}},
	}
}

func write(t *testing.T, b provenance.Build) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := provenance.Write(&out, b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestWrite has the specification's own types read the statement.
func TestWrite(t *testing.T) {
	text := write(t, sample())
	if again := write(t, sample()); !bytes.Equal(text, again) {
		t.Error("the same build gives other bytes")
	}
	var s intoto.Statement
	if err := protojson.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	predicate, err := json.Marshal(s.GetPredicate())
	if err != nil {
		t.Fatal(err)
	}
	var p slsa.Provenance
	if err := protojson.Unmarshal(predicate, &p); err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
	var got []string
	for _, d := range p.GetBuildDefinition().GetResolvedDependencies() {
		digest := d.GetDigest()["sha256"] + d.GetDigest()["gitCommit"]
		got = append(got, strings.TrimSpace(digest[:1]+" "+d.GetName()+" "+d.GetUri()))
	}
	want := []string{
		"c forge git+https://github.com/mesos-forge/forge", "e recipes", "f forge.lock", "1 suite debian/bookworm",
		"2 artifact hadoop/asm pkg:maven/asm/asm@3.1", "3 build hadoop-mesos: org/x.pom",
		"4 deb e2fsprogs pkg:deb/debian/e2fsprogs@1.47.2?arch=amd64", "d deb libc6 pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
	if p.GetRunDetails().GetMetadata() != nil {
		t.Error("the statement tells when it was made")
	}
}

func TestRead(t *testing.T) {
	b := sample()
	p, err := provenance.Read(write(t, b))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.Parameters, p.Parameters); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(b.Subjects, p.Subjects); diff != "" {
		t.Errorf("subjects (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"forge": "v1.2.3", "go": "go1.26.4"}, p.Versions); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	if in, ok := p.Input(provenance.LockName); !ok || in.Digest["sha256"] != hex("f") {
		t.Errorf("the lock is %+v, %v", in, ok)
	}
	if f, ok := p.Subject(hex("b")); !ok || f.Name != "debs/x.deb" {
		t.Errorf("the package is %+v, %v", f, ok)
	}
	if _, ok := p.Subject(hex("c")); ok {
		t.Error("a digest that nobody named is a subject")
	}
	if _, ok := p.Input("absent"); ok {
		t.Error("an input that nobody named is there")
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, change := range map[string]func(*provenance.Build){
		"no results":         func(b *provenance.Build) { b.Subjects = nil },
		"no digest":          func(b *provenance.Build) { b.Subjects[0].SHA256 = "" },
		"a lock's no digest": func(b *provenance.Build) { b.LockDigest = "abc" },
	} {
		b := sample()
		change(&b)
		if err := provenance.Write(&bytes.Buffer{}, b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	text := string(write(t, sample()))
	for name, c := range map[string]struct {
		text string
		is   error
		says string
	}{
		"not JSON":          {"hello", nil, "in-toto statement"},
		"not a statement":   {"{}", nil, "statement type"},
		"other predicate":   {strings.Replace(text, provenance.PredicateType, "https://spdx.dev/Document", 1), provenance.ErrForeign, "spdx.dev"},
		"other build":       {strings.Replace(text, provenance.BuildType, "https://elsewhere.invalid/", 1), provenance.ErrForeign, "elsewhere"},
		"other parameter":   {strings.Replace(text, `"stack"`, `"stick"`, 1), nil, "stick"},
		"unknown field":     {strings.Replace(text, `"subject"`, `"object"`, 1), nil, "object"},
		"digest of no form": {strings.Replace(text, hex("a"), "abc", 1), nil, "digest"},
		"too long":          {strings.Repeat(" ", provenance.MaxStatement+1), nil, "more than"},
	} {
		_, err := provenance.Read([]byte(c.text))
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v and %q in it", name, err, c.is, c.says)
		}
	}
}

func FuzzRead(f *testing.F) {
	var out bytes.Buffer
	if err := provenance.Write(&out, sample()); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, err := provenance.Read(text); err == nil && len(p.Subjects) == 0 {
			t.Error("provenance of nothing")
		}
	})
}

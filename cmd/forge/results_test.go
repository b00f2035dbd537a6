package main_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdxlib"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/publish"
)

// resultFolder are what a build of the role slave left in the output folder out. Nothing of it is changed by
// the checks.
type resultFolder struct {
	*testing.T
	out, store string
	role       builder.RoleResult
	bill       publish.Bill
}

// checkResults looks at what describes the results: the list of packages, the SBOM, the sums, the
// report.
func checkResults(t *testing.T, out, store string, res builder.Result) {
	t.Helper()
	r := &resultFolder{T: t, out: out, store: store, role: res.Roles[0]}
	if err := json.Unmarshal(r.read(r.role.Packages), &r.bill); err != nil {
		t.Fatal(err)
	}
	r.packagesAreThoseOfTheImage()
	r.packagesAreTheirFiles()
	r.sbomSaysTheSame()
	r.eachDebHasAnSBOM()
	r.provenanceNamesEverything()
	r.sumsCoverEverything()
	r.noMirrorIsNamed()
	r.reportShowsTheBuild(res)
}

func (r *resultFolder) read(name string) []byte {
	r.Helper()
	b, err := os.ReadFile(filepath.Join(r.out, name))
	if err != nil {
		r.Fatal(err)
	}
	return b
}

// packagesAreThoseOfTheImage compares with dpkg's status file in the layers of the image.
func (r *resultFolder) packagesAreThoseOfTheImage() {
	r.Helper()
	want := map[string]string{}
	for _, p := range r.bill.Packages {
		if slices.ContainsFunc(p.Layers, func(l string) bool { return l != publish.LayerBoot }) {
			want[p.Name+":"+p.Architecture] = p.Version
		}
	}
	paragraphs, err := archive.ParseParagraphs(r.imageFile("var/lib/dpkg/status"))
	if err != nil {
		r.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range paragraphs {
		got[p.Get("Package")+":"+p.Get("Architecture")] = p.Get("Version")
	}
	if len(got) < 100 || !maps.Equal(got, want) {
		r.Errorf("dpkg has in the image\n%v\npackages.json has\n%v", got, want)
	}
}

// imageFile returns a file of the image, from the topmost layer that has it.
func (r *resultFolder) imageFile(name string) []byte {
	r.Helper()
	index, err := layout.ImageIndexFromPath(filepath.Join(r.out, r.role.Image))
	if err != nil {
		r.Fatal(err)
	}
	digest, err := v1.NewHash(r.role.Digest)
	if err != nil {
		r.Fatal(err)
	}
	image, err := index.Image(digest)
	if err != nil {
		r.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil {
		r.Fatal(err)
	}
	for _, l := range slices.Backward(layers) {
		compressed, err := l.Compressed()
		if err != nil {
			r.Fatal(err)
		}
		content, err := tarMember(compressed, name)
		if err := errors.Join(err, compressed.Close()); err != nil {
			r.Fatal(err)
		}
		if content != nil {
			return content
		}
	}
	r.Fatalf("no layer of the image has %s", name)
	return nil
}

func tarMember(compressed io.Reader, name string) ([]byte, error) {
	z, err := gzip.NewReader(compressed)
	if err != nil {
		return nil, err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if strings.TrimPrefix(h.Name, "./") == name {
			return io.ReadAll(t)
		}
	}
}

// packagesAreTheirFiles opens the file of each package by the digest that the list has for it.
func (r *resultFolder) packagesAreTheirFiles() {
	r.Helper()
	for _, p := range r.bill.Packages {
		name := filepath.Join(r.store, "blobs/sha256", p.SHA256[:2], p.SHA256)
		f, err := os.Open(name)
		if err != nil {
			r.Errorf("package %s: no file has its sha256: %v", p.Name, err)
			continue
		}
		d, err := archive.OpenDeb(r.Context(), f, p.Size, archive.DebOptions{Name: p.Name})
		if err != nil {
			r.Errorf("package %s: %v", p.Name, err)
		} else if got := d.Control.Get("Package") + " " + d.Control.Get("Version") + " " + d.Control.Get("Architecture"); got != p.Name+" "+p.Version+" "+p.Architecture {
			r.Errorf("package %s %s %s: its file says %s", p.Name, p.Version, p.Architecture, got)
		}
		f.Close()
		want := "Apache-2.0"
		if p.Name == "forge-hadoop" { // with the libraries in it
			want = "Apache-2.0 AND BSD-3-Clause AND CDDL-1.1 AND MIT"
		}
		if p.Origin == publish.FromForge && p.Licence != want {
			r.Errorf("package %s has licence %s; its copyright file says %s", p.Name, p.Licence, want)
		}
	}
	if claimed := slices.DeleteFunc(slices.Clone(r.bill.Packages), func(p publish.Package) bool { return p.Licence == publish.NoAssertion }); len(claimed) < len(r.bill.Packages)/2 {
		r.Errorf("%d of %d packages have a licence", len(claimed), len(r.bill.Packages))
	}
}

// sbomSaysTheSame reads the SBOM with the library's own reader.
func (r *resultFolder) sbomSaysTheSame() {
	r.Helper()
	doc, err := spdxjson.Read(bytes.NewReader(r.read(r.role.SBOM)))
	if err != nil {
		r.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(doc); err != nil {
		r.Error(err)
	}
	texts := map[string]bool{}
	for _, l := range doc.OtherLicenses {
		texts[l.LicenseIdentifier] = l.ExtractedText != ""
	}
	got, ids, purls := map[string]bool{}, map[string]string{}, map[string]string{}
	for _, p := range doc.Packages {
		ids[string(p.PackageSPDXIdentifier)] = p.PackageName
		for _, ref := range regexp.MustCompile(`LicenseRef[A-Za-z0-9.-]+`).FindAllString(p.PackageLicenseDeclared, -1) {
			if !texts[ref] {
				r.Errorf("package %s has licence %s, whose text is not in the SBOM", p.PackageName, ref)
			}
		}
		for _, c := range p.PackageChecksums {
			got[p.PackageName+" "+p.PackageVersion+" "+c.Value] = true
		}
		for _, ref := range p.PackageExternalReferences {
			purls[p.PackageName] = ref.Locator
		}
		if p.PackageName == "mesos" && !strings.Contains(p.PackageComment, "Stand-in") {
			r.Errorf("the SBOM doesn't call mesos a stand-in: %q", p.PackageComment)
		}
	}
	for _, p := range r.bill.Packages {
		if !got[p.Name+" "+p.Version+" "+p.SHA256] || purls[p.Name] != p.Purl {
			r.Errorf("the SBOM lacks package %s %s %s, %s", p.Name, p.Version, p.SHA256, p.Purl)
		}
	}
	var inHadoop []string
	for _, rel := range doc.Relationships {
		if ids[string(rel.RefA.ElementRefID)] == "forge-hadoop" {
			inHadoop = append(inHadoop, purls[ids[string(rel.RefB.ElementRefID)]])
		}
	}
	if len(inHadoop) < 20 || !slices.Contains(inHadoop, "pkg:maven/org.apache.hadoop/hadoop-core@1.2.1") {
		r.Errorf("in forge-hadoop the SBOM has %v", inHadoop)
	}
}

// sumsCoverEverything has sha256sum check the sums, and looks for files that have none.
func (r *resultFolder) sumsCoverEverything() {
	r.Helper()
	cmd := exec.Command("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS")
	cmd.Dir = r.out
	if out, err := cmd.CombinedOutput(); err != nil {
		r.Errorf("sha256sum: %v\n%s", err, out)
	}
	var summed []string
	for line := range strings.Lines(string(r.read("SHA256SUMS"))) {
		_, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		summed = append(summed, name)
	}
	if !slices.IsSorted(summed) {
		r.Error("the sums aren't sorted by path")
	}
	var there []string
	err := filepath.WalkDir(r.out, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(r.out, path)
		if rel != "SHA256SUMS" && rel != "report.html" && !strings.HasPrefix(rel, ".forge/") {
			there = append(there, rel)
		}
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	slices.Sort(there)
	if !slices.Equal(summed, there) {
		r.Errorf("sums of\n%v\nin the folder are\n%v", summed, there)
	}
	for _, f := range r.role.Files {
		if !bytes.Contains(r.read("SHA256SUMS"), []byte(f.Digest.Hex()+"  "+f.Path+"\n")) {
			r.Errorf("%s is %s by the build's result, and not by the sums", f.Path, f.Digest)
		}
	}
}

// noMirrorIsNamed looks for where the host's apt fetches from.
func (r *resultFolder) noMirrorIsNamed() {
	r.Helper()
	out, err := exec.Command("apt-get", "indextargets", "--format", "$(SITE)").Output()
	if err != nil || len(bytes.TrimSpace(out)) == 0 {
		r.Fatalf("apt-get indextargets: %v, %q", err, out)
	}
	for site := range strings.FieldsSeq(string(out)) {
		_, host, _ := strings.Cut(site, "://")
		host, _, _ = strings.Cut(host, "/")
		for _, name := range []string{r.role.Packages, r.role.SBOM, r.role.Provenance} {
			if host != "" && bytes.Contains(r.read(name), []byte(host)) {
				r.Errorf("%s names the mirror %s", name, host)
			}
		}
	}
}

// reportShowsTheBuild has a browser read the report.
func (r *resultFolder) reportShowsTheBuild(res builder.Result) {
	r.Helper()
	dom := r.dom(filepath.Join(r.out, res.Report))
	for what, want := range map[string]int{
		`<tr class="package`: len(r.bill.Packages), `class="step miss"`: res.Ran, `class="step hit"`: res.Hits,
		`<li class="stand-in"><strong>mesos</strong>`: 1, `<details class="layer"`: 4,
	} {
		if got := strings.Count(dom, what); got != want {
			r.Errorf("the report has %s %d times, want %d", what, got, want)
		}
	}
	for _, want := range []string{"deb/forge-hadoop", "rootfs/role/slave", r.role.Digest[len("sha256:"):], "1.11.0-1~standin1", "mesos_1.*_amd64.deb", "forge boot --role slave"} {
		if !strings.Contains(dom, want) {
			r.Errorf("the report lacks %q", want)
		}
	}
	if regexp.MustCompile(`<script|<img|<link|ZgotmplZ`).MatchString(dom) {
		r.Error("the report needs more than itself")
	}
}

func (r *resultFolder) dom(page string) string {
	r.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			r.Fatal("missing: chromium")
		}
		r.Log("without chromium the report is read as it is")
		return string(r.read(filepath.Base(page)))
	}
	cmd := exec.Command(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir="+r.TempDir(), "--dump-dom", "file://"+page)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stop := time.AfterFunc(2*time.Minute, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer stop.Stop()
	dom, err := cmd.Output()
	if err != nil {
		r.Fatalf("chromium: %v", err)
	}
	return string(dom)
}

// checkSummary looks at what a person reads when everything is there already, and when a result was taken away.
func (f *forge) checkSummary(res builder.Result) {
	f.t.Helper()
	report, err := os.Stat(filepath.Join(f.out, res.Report))
	if err != nil {
		f.t.Fatal(err)
	}
	text, errs, code := f.run("build", "--role", "slave")
	first, _, _ := strings.Cut(text, "\n")
	if code != 0 || !strings.HasPrefix(first, fmt.Sprintf("Nothing had to be done: all %d steps were up to date", res.Ran+res.Hits)) {
		f.t.Errorf("a build with nothing to do: exit status %d, %q\n%s", code, first, errs)
	}
	for _, want := range []string{filepath.Join(f.out, res.Roles[0].Image), fmt.Sprintf("%d packages", res.Roles[0].Contents), res.Roles[0].Digest, "STAND-IN  mesos 1.11.0-1~standin1", "mesos_1.*_amd64.deb, into " + f.vendor} {
		if !strings.Contains(text, want) {
			f.t.Errorf("the summary lacks %q:\n%s", want, text)
		}
	}
	if after, err := os.Stat(filepath.Join(f.out, res.Report)); err != nil || !os.SameFile(report, after) || report.ModTime() != after.ModTime() {
		f.t.Errorf("the report was written again: %v", err)
	}
	if err := os.Remove(filepath.Join(f.out, res.Roles[0].SBOM)); err != nil {
		f.t.Fatal(err)
	}
	text, _, _ = f.run("build", "--role", "slave")
	for _, want := range []string{"1 result was put in", "forge boot --role slave", "--allow-standins"} {
		if !strings.Contains(text, want) {
			f.t.Errorf("the summary lacks %q after a result was taken away:\n%s", want, text)
		}
	}
	if _, err := os.Stat(filepath.Join(f.out, res.Roles[0].SBOM)); err != nil {
		f.t.Error(err)
	}
}

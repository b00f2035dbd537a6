package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder"
)

func TestSummary(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	role := func(name string) builder.RoleResult {
		r := builder.RoleResult{Role: name, Debs: []string{"debs/a.deb", "debs/b.deb"}, Image: name + "/image", Digest: "sha256:1234", Disks: []string{name + "/disk.qcow2", name + "/disk.raw"},
			Lock: name + "/forge.lock", Packages: name + "/packages.json", SBOM: name + "/sbom.spdx.json", Contents: 240}
		for i, path := range []string{"debs/a.deb", "debs/b.deb", name + "/image/index.json", name + "/image/blobs/sha256/1", name + "/imagery", name + "/disk.qcow2", name + "/disk.raw"} {
			r.Files = append(r.Files, builder.ResultFile{Path: path, Size: int64(i+1) * 1e6})
		}
		return r
	}
	print := func(res *builder.Result, out string) string {
		var b strings.Builder
		if err := summary(&b, res, out, "/srv/vendor"); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	res := &builder.Result{Roles: []builder.RoleResult{role("slave")}, Report: "report.html", Sums: "SHA256SUMS", Ran: 3, Hits: 26, Duration: 92 * time.Second}
	res.Roles[0].StandIns = []string{"mesos"}
	res.Roles[0].Wanted = []builder.Wanted{{Package: "mesos", Version: "1.11.0-1~standin1", File: "mesos_1.*_amd64.deb"}}
	want := `role slave
  packages  out/debs                  3.0 MB  2 files
  image     out/slave/image           7.0 MB  sha256:1234
  disk      out/slave/disk.qcow2      6.0 MB  boots by BIOS and UEFI
  disk      out/slave/disk.raw        7.0 MB  boots by BIOS and UEFI
  contents  out/slave/packages.json   0 B     240 packages
  SBOM      out/slave/sbom.spdx.json  0 B     SPDX 2.3
  lock      out/slave/forge.lock      0 B     what exactly went in
all of it
  report     out/report.html
  checksums  out/SHA256SUMS

STAND-IN  mesos 1.11.0-1~standin1 is not the real software: it checks the wiring of a cluster and does no work.
          Put the real package, mesos_1.*_amd64.deb, into /srv/vendor and build again.

3 steps ran, 26 were up to date; it took 1 min 32 s.

next
  forge boot --role slave                                     boot the disk in a virtual machine
  forge load --role slave                                     put the image into the local Docker engine
  forge push REGISTRY/NAME:TAG --role slave --allow-standins  send the image to a registry, stand-ins and all
`
	if diff := cmp.Diff(want, print(res, filepath.Join(wd, "out"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	res.Ran, res.Hits, res.Duration = 0, 29, 84*time.Millisecond
	got := print(res, "/elsewhere/out")
	if !strings.HasPrefix(got, "Nothing had to be done: all 29 steps were up to date (84 ms).\nrole slave\n  packages  /elsewhere/out/debs ") || strings.Contains(got, "next") {
		t.Errorf("a build with nothing to do says\n%s", got)
	}

	res.Written, res.Roles[0].StandIns, res.Roles[0].Wanted = 2, nil, nil
	got = print(res, filepath.Join(wd, "out"))
	if !strings.Contains(got, "All 29 steps were up to date; 2 results were put in out again (84 ms).") || strings.Contains(got, "STAND-IN") || strings.Contains(got, "standins") {
		t.Errorf("a build that puts results back says\n%s", got)
	}
}

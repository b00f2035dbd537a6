package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/report"
)

// summary is what a person reads at the end of a build: what was made, where, how large, how long it took,
// which stand-ins are in it, and what to do next.
func summary(w io.Writer, res *builder.Result, out, vendor string) error {
	var b strings.Builder
	if res.Ran+res.Written == 0 {
		fmt.Fprintf(&b, "Nothing had to be done: all %d steps were up to date (%s).\n", res.Hits, report.Took(res.Duration))
	}
	at := func(rel string) string { return shown(filepath.Join(out, rel)) }
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range res.Roles {
		fmt.Fprintf(t, "role %s\n", r.Role)
		fmt.Fprintf(t, "  packages\t%s\t%s\t%d files\n", at("debs"), report.Size(r.Size(r.Debs...)), len(r.Debs))
		if r.Image != "" {
			fmt.Fprintf(t, "  image\t%s\t%s\t%s\n", at(r.Image), report.Size(r.Size(r.Image)), r.Digest)
		}
		for _, d := range r.Disks {
			fmt.Fprintf(t, "  disk\t%s\t%s\tboots by BIOS and UEFI\n", at(d), report.Size(r.Size(d)))
		}
		if r.Packages != "" {
			fmt.Fprintf(t, "  contents\t%s\t%s\t%d packages\n", at(r.Packages), report.Size(r.Size(r.Packages)), r.Contents)
			fmt.Fprintf(t, "  SBOM\t%s\t%s\tSPDX 2.3\n", at(r.SBOM), report.Size(r.Size(r.SBOM)))
		}
		fmt.Fprintf(t, "  lock\t%s\t%s\twhat exactly went in\n", at(r.Lock), report.Size(r.Size(r.Lock)))
		if r.Bundle != "" {
			fmt.Fprintf(t, "  signed\t%s\t%s\tSLSA provenance; forge verify checks it\n", at(r.Bundle), report.Size(r.Size(r.Bundle)))
		}
	}
	fmt.Fprintf(t, "all of it\n  report\t%s\n  checksums\t%s\n", at(res.Report), at(res.Sums))
	if err := t.Flush(); err != nil {
		return err
	}
	for _, without := range res.Without {
		fmt.Fprintf(&b, "\n%s\n", without)
	}
	standIns(&b, res.Roles, shown(vendor))
	switch {
	case res.Ran > 0:
		fmt.Fprintf(&b, "\n%s ran, %d were up to date; it took %s.\n", count(res.Ran, "step", "steps"), res.Hits, report.Took(res.Duration))
	case res.Written > 0:
		fmt.Fprintf(&b, "\nAll %d steps were up to date; %s in %s again (%s).\n", res.Hits, count(res.Written, "result was put", "results were put"), shown(out), report.Took(res.Duration))
	}
	if age := res.IndexAge.Round(time.Minute); age > 0 {
		fmt.Fprintf(&b, "Debian's packages are those of the indexes from %s ago; --refresh takes newer ones.\n", strings.TrimSuffix(age.String(), "0s"))
	}
	if res.Ran+res.Written > 0 {
		if err := next(&b, res.Roles); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// next says what can be done with the results.
func next(b *strings.Builder, roles []builder.RoleResult) error {
	b.WriteString("\nnext\n")
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, r := range roles {
		if r.Image == "" {
			fmt.Fprintf(t, "  forge build --role %s\tbuild the image and the disk as well\n", r.Role)
			continue
		}
		if len(r.Disks) > 0 {
			fmt.Fprintf(t, "  forge boot --role %s\tboot the disk in a virtual machine\n", r.Role)
		}
		fmt.Fprintf(t, "  forge load --role %s\tput the image into the local Docker engine\n", r.Role)
		push, note := "", ""
		if len(r.StandIns) > 0 {
			push, note = " --allow-standins", ", stand-ins and all"
		}
		fmt.Fprintf(t, "  forge push REGISTRY/NAME:TAG --role %s%s\tsend the image to a registry%s\n", r.Role, push, note)
	}
	return t.Flush()
}

// standIns says what stands in for what, and how to have the real thing.
func standIns(b *strings.Builder, roles []builder.RoleResult, vendor string) {
	said := map[string]bool{}
	for _, r := range roles {
		for _, s := range r.Wanted {
			if !said[s.Package] {
				fmt.Fprintf(b, "\nSTAND-IN  %s %s is not the real software: it checks the wiring of a cluster and does no work.\n", s.Package, s.Version)
			}
			if s.File != "" && !said[s.File] {
				kind := "file"
				if strings.HasSuffix(s.File, ".deb") {
					kind = "package"
				}
				fmt.Fprintf(b, "          Put the real %s, %s, into %s and build again.\n", kind, s.File, vendor)
			}
			said[s.Package], said[s.File] = true, true
		}
	}
}

// shown writes a path as a person would type it: relative when it is below the current folder.
func shown(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(wd, path)
	if err != nil || !filepath.IsLocal(rel) {
		return path
	}
	return rel
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

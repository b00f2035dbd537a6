package aptrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/sandbox"
)

// dateForm is that of release files, in UTC.
const dateForm = "Mon, 02 Jan 2006 15:04:05 UTC"

// byHash is the folder beside an index for what clients ask for by its hash.
const byHash = "by-hash/SHA256"

// insideRepository is where programs of the tools tree find the repository.
const insideRepository = "/run/repository"

// indexer runs apt-ftparchive (apt-utils). Its folders lie in the repository's temporary one:
//
//	archive/pool -> the repository's
//	archive/dists/  becomes the publication
//	work/           configuration, lists of files
type indexer struct {
	spec *Spec
	temp string // path of the temporary folder on the host
}

func (x indexer) dists() string { return filepath.Join(x.temp, "archive", "dists") }

// prepare makes the folders anew.
func (x indexer) prepare() error {
	for _, name := range []string{"archive", "work"} {
		if err := os.RemoveAll(filepath.Join(x.temp, name)); err != nil {
			return err
		}
	}
	for _, name := range []string{"work", "archive/dists"} {
		if err := os.MkdirAll(filepath.Join(x.temp, name), 0o755); err != nil {
			return err
		}
	}
	return os.Symlink("../../pool", filepath.Join(x.temp, "archive", "pool"))
}

// run starts apt-ftparchive with a configuration. Of some failures, a full disk for instance, only what it says tells.
func (x indexer) run(ctx context.Context, stdout io.Writer, config string, what string) (said string, err error) {
	conf := filepath.Join(x.temp, "work", what+".conf")
	base := x.spec.Dir
	spec := sandbox.Spec{Root: x.spec.Tools, Stdout: stdout}
	if spec.Root != "" {
		base = insideRepository
		spec.Binds = []sandbox.Bind{{Source: x.spec.Dir, Target: base}}
	}
	at := path.Join(base, tempName)
	if err := os.WriteFile(conf, []byte(strings.ReplaceAll(config, "@", at)), 0o644); err != nil {
		return "", err
	}
	in := func(name string) string { return path.Join(at, name) }
	switch what {
	case "generate":
		spec.Args = []string{"generate", in("work/generate.conf")}
	case "release":
		spec.Args = []string{"-c", in("work/release.conf"), "release", in("archive/dists")}
	}
	spec.Args = append([]string{"apt-ftparchive", "-qq", "-o", "APT::FTPArchive::MD5=false", "-o", "APT::FTPArchive::SHA1=false",
		"-o", "APT::FTPArchive::SHA512=false"}, spec.Args...)
	var errs bytes.Buffer
	spec.Stderr = &errs
	if err := sandbox.Run(ctx, spec); err != nil {
		return "", fmt.Errorf("make the index: %w", err)
	}
	return strings.TrimSpace(errs.String()), nil
}

// packages writes Packages, Packages.gz and Packages.xz for each architecture and for "all". As in Debian's archive
// the index of an architecture has the packages for every architecture too.
func (x indexer) packages(ctx context.Context, all []entry) (said string, err error) {
	var conf strings.Builder
	conf.WriteString(`Dir { ArchiveDir "@/archive"; CacheDir "@/work"; FileListDir "@/work"; };
Default { Packages::Compress ". gzip xz"; FileMode 0644; };
`)
	for _, arch := range append([]string{"all"}, x.spec.Architectures...) {
		var list bytes.Buffer
		for _, e := range all {
			if e.arch == arch || e.arch == "all" {
				list.WriteString(e.pool + "\n")
			}
		}
		dir := path.Join(component, "binary-"+arch)
		err := errors.Join(os.WriteFile(filepath.Join(x.temp, "work", arch+".list"), list.Bytes(), 0o644),
			os.MkdirAll(filepath.Join(x.dists(), dir), 0o755))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&conf, "BinDirectory \"%s\" { FileList \"%s.list\"; Packages \"dists/%s/Packages\"; Contents \" \"; };\n", arch, arch, dir)
	}
	return x.run(ctx, nil, conf.String(), "generate")
}

// release returns the release file of the indexes that are there.
func (x indexer) release(ctx context.Context, at time.Time) ([]byte, error) {
	s := x.spec
	var conf strings.Builder
	conf.WriteString("APT::FTPArchive::Release { Acquire-By-Hash \"true\";\n")
	fields := [][2]string{{"Origin", s.Origin}, {"Label", s.Label}, {"Suite", s.Suite}, {"Codename", s.Codename}, {"Date", at.UTC().Format(dateForm)},
		{"Architectures", strings.Join(append([]string{"all"}, s.Architectures...), " ")}, {"Components", component}, {"Description", s.Description}}
	if s.ValidFor > 0 {
		// Without ValidTime, which counts from the clock, apt-ftparchive leaves Valid-Until out.
		fields = append(fields, [2]string{"ValidTime", "1"}, [2]string{"Valid-Until", at.Add(s.ValidFor).UTC().Format(dateForm)})
	}
	for _, f := range fields {
		if f[1] != "" {
			fmt.Fprintf(&conf, "%s \"%s\";\n", f[0], f[1])
		}
	}
	conf.WriteString("};\n")
	var out bytes.Buffer
	said, err := x.run(ctx, &out, conf.String(), "release")
	if err == nil && said != "" {
		err = fmt.Errorf("make the release file: apt-ftparchive: %s", said)
	}
	if err != nil {
		return nil, err
	}
	// apt-ftparchive has no field for that: the index of an architecture is enough for a client (Debian's
	// archive says the same of its own).
	head, sums, ok := strings.Cut(out.String(), "SHA256:\n")
	if !ok {
		return nil, fmt.Errorf("make the index: apt-ftparchive wrote a release file without sums:\n%s", out.String())
	}
	return []byte(head + "No-Support-for-Architecture-all: Packages\nSHA256:\n" + sums), nil
}

// sameBut tells whether release files differ in nothing but when they were made.
func sameBut(a, b []byte) bool {
	strip := func(text []byte) string {
		var out strings.Builder
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "Date:") && !strings.HasPrefix(line, "Valid-Until:") {
				out.WriteString(line)
			}
		}
		return out.String()
	}
	return strip(a) == strip(b)
}

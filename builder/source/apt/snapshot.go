package apt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/store"
)

const (
	snapshotFormat = 1
	snapshotFile   = "snapshot.json"
	listsDir       = "lists"
)

// Snapshot is a set of indexes that apt fetched and verified, as a directory that is enough to
// solve from without a network:
//
//	snapshot.json  what it holds
//	lists/         apt's list files, addresses replaced by the archives' names
type Snapshot struct {
	Format   int       `json:"format"` // 1
	Arch     string    `json:"arch"`
	Archives []Archive `json:"archives"`
	Suites   []Suite   `json:"suites"` // in the order of Archives

	dir string
}

// Suite is one suite of one archive at one time.
type Suite struct {
	Archive string       `json:"archive"`
	Name    string       `json:"name"` // as it was asked for: "bookworm-updates"
	Digest  store.Digest `json:"digest"`
	Release
}

// Open reads a snapshot that Update made.
func Open(dir string) (*Snapshot, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("apt: indexes: %w", err)
	}
	text, err := readBounded(filepath.Join(dir, snapshotFile))
	if err != nil {
		return nil, fmt.Errorf("apt: indexes in %s: %w", dir, err)
	}
	s := &Snapshot{dir: dir}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(s); err != nil {
		return nil, fmt.Errorf("apt: indexes in %s: %s: %w", dir, snapshotFile, err)
	}
	if s.Format != snapshotFormat {
		return nil, fmt.Errorf("apt: indexes in %s have format %d, this forge knows %d: fetch them again with --refresh", dir, s.Format, snapshotFormat)
	}
	return s, nil
}

// Dir returns the snapshot's directory.
func (s *Snapshot) Dir() string { return s.dir }

// Digest identifies what can be solved from the snapshot: the Release files of its suites, and
// which components and architecture were taken. Two mirrors in the same state give the same one.
func (s *Snapshot) Digest() store.Digest { return store.DigestOf(s.encode()) }

// Date returns the date of the newest Release file.
func (s *Snapshot) Date() time.Time {
	var t time.Time
	for _, u := range s.Suites {
		if u.Date.After(t) {
			t = u.Date
		}
	}
	return t
}

func (s *Snapshot) encode() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		panic(err) // strings, numbers and times only
	}
	return b.Bytes()
}

// lists returns the folder of list files.
func (s *Snapshot) lists() string { return filepath.Join(s.dir, listsDir) }

// listFile returns the path of a suite's list file: "InRelease", or "main_binary-amd64_Packages".
func (s *Snapshot) listFile(a Archive, suite, name string) string {
	return filepath.Join(s.lists(), listPrefix(a.placeholder())+"_dists_"+strings.ReplaceAll(suite, "/", "_")+"_"+name)
}

// sources is the sources.list that matches the list files.
func (s *Snapshot) sources() string {
	var b strings.Builder
	for _, a := range s.Archives {
		for _, suite := range a.Suites {
			fmt.Fprintf(&b, "deb [arch=%s] %s %s %s\n", s.Arch, a.placeholder(), suite, strings.Join(a.Components, " "))
		}
	}
	return b.String()
}

// originForm is what may stand in a pin without changing its meaning.
var originForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._+-]*$`)

// preferences pins the preferred archives by the origin that their Release files name: above 990, which is
// what a target release has, and below 1000, from which on apt would downgrade.
func (s *Snapshot) preferences() (string, error) {
	var b strings.Builder
	for _, a := range s.Archives {
		if !a.Preferred {
			continue
		}
		for _, u := range s.Suites {
			if u.Archive != a.Name {
				continue
			}
			if !originForm.MatchString(u.Origin) {
				return "", fmt.Errorf("archive %s: the Release file of %s has the origin %q, by which its packages can't be told from others'", a.Name, u.Name, u.Origin)
			}
			fmt.Fprintf(&b, "Package: *\nPin: release o=%s\nPin-Priority: 995\n\n", u.Origin)
		}
	}
	return b.String(), nil
}

// describe fills in Suites from the Release files.
func (s *Snapshot) describe() error {
	s.Suites = nil
	for _, a := range s.Archives {
		for _, suite := range a.Suites {
			name := s.listFile(a, suite, "InRelease")
			if _, err := os.Lstat(name); errors.Is(err, os.ErrNotExist) {
				name = s.listFile(a, suite, "Release")
			}
			text, err := readBounded(name)
			if err != nil {
				return err
			}
			r, err := parseRelease(text)
			if err != nil {
				return fmt.Errorf("%s of %s: Release file: %w", suite, a.Name, err)
			}
			s.Suites = append(s.Suites, Suite{Archive: a.Name, Name: suite, Digest: store.DigestOf([]byte(text)), Release: r})
		}
	}
	return nil
}

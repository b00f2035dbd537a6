package apt

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// DefaultKeyring is where Debian's package debian-archive-keyring puts the keys of every release.
const DefaultKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// Names of the archives that a Mirror stands for. They take the place of addresses in snapshots.
const (
	MainArchive     = "debian"
	SecurityArchive = "debian-security"
)

// Mirror says where a distribution's archives are fetched from: Debian's, unless Name says another.
type Mirror struct {
	Name     string // of the main archive; empty: MainArchive. The other's ends in -security
	Main     string // URI of the main archive, with its updates
	Security string // URI of the security archive; empty: there is none, or Main has its suite (Ubuntu)
	Keyring  string // file with the keys that sign both; empty: DefaultKeyring
	// More are archives of others, whose packages are preferred: see Archive.Preferred.
	More []Archive
}

// Archive is one archive and the suites that are taken from it.
type Archive struct {
	Name       string   `json:"name"` // such as MainArchive; part of the snapshot's identity
	URI        string   `json:"-"`    // where it is fetched from; never part of a result
	Suites     []string `json:"suites"`
	Components []string `json:"components"`
	Keyring    string   `json:"-"` // absolute path
	// Preferred takes the archive's packages before those of the others, whatever their versions. Its
	// Release must name an origin that no other archive has.
	Preferred bool `json:"preferred,omitempty"`
}

// Archives returns what a release is solved from: the suite and its updates from the main
// archive, its security fixes from the security archive. Components default to main.
func (m Mirror) Archives(codename string, components ...string) []Archive {
	if len(components) == 0 {
		components = []string{"main"}
	}
	keyring := m.Keyring
	if keyring == "" {
		keyring = DefaultKeyring
	}
	name := m.Name
	if name == "" {
		name = MainArchive
	}
	out := []Archive{{
		Name: name, URI: m.Main, Keyring: keyring, Components: components,
		Suites: []string{codename, codename + "-updates"},
	}}
	switch {
	case m.Security == "" && name != MainArchive:
		out[0].Suites = append(out[0].Suites, codename+"-security")
	case m.Security != "":
		out = append(out, Archive{
			Name: name + "-security", URI: m.Security, Keyring: keyring, Components: components,
			Suites: []string{codename + "-security"},
		})
	}
	return append(out, m.More...)
}

// bases returns the URIs to look for a pool file of an archive in, the likelier one first: Debian's
// security pool starts with pool/updates/.
func (m Mirror) bases(archive, filename string) []string {
	for _, a := range m.More {
		if a.Name == archive {
			return []string{a.URI}
		}
	}
	if m.Security == "" {
		return []string{m.Main}
	}
	if strings.HasPrefix(filename, "pool/updates/") {
		return []string{m.Security, m.Main}
	}
	return []string{m.Main, m.Security}
}

// copied returns a URI without its last slash, with file: as copy:. For file: apt makes symbolic
// links to the archive's own files instead of copies.
func copied(uri string) string {
	if path, ok := strings.CutPrefix(uri, "file:"); ok {
		uri = "copy:" + path
	}
	return strings.TrimSuffix(uri, "/")
}

// word is what may stand in a sources.list line without changing its meaning.
var word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9./+~_-]*$`)

func (a Archive) check() error {
	u, err := url.Parse(a.URI)
	switch {
	case err != nil:
		return fmt.Errorf("archive %s: %w", a.Name, err)
	case u.Scheme == "" || strings.ContainsAny(a.URI, " \t\n[]\"'"):
		return fmt.Errorf("archive %s: %q is not a URI; want something like scheme://host/debian", a.Name, a.URI)
	case !strings.HasPrefix(a.Keyring, "/") || strings.ContainsAny(a.Keyring, " \t\n,]"):
		return fmt.Errorf("archive %s: keyring %q is not an absolute path without spaces", a.Name, a.Keyring)
	case len(a.Suites) == 0 || len(a.Components) == 0:
		return fmt.Errorf("archive %s: no suite or no component", a.Name)
	}
	for _, s := range append(append([]string{a.Name}, a.Suites...), a.Components...) {
		if !word.MatchString(s) {
			return fmt.Errorf("archive %s: %q is not the name of a suite or a component", a.Name, s)
		}
	}
	return nil
}

func checkArchives(archives []Archive) error {
	if len(archives) == 0 {
		return errors.New("apt: no archive to fetch indexes from")
	}
	seen := map[string]bool{}
	for _, a := range archives {
		if err := a.check(); err != nil {
			return fmt.Errorf("apt: %w", err)
		}
		if strings.Contains(a.Name, "/") || seen[a.Name] {
			return fmt.Errorf("apt: archive name %q is used twice or holds a slash", a.Name)
		}
		seen[a.Name] = true
	}
	return nil
}

// placeholder is the URI that stands for an archive inside a snapshot; its host can't exist
// (RFC 2606, section 2).
func (a Archive) placeholder() string { return "http://archive.invalid/" + a.Name }

// listPrefix is how apt begins the names of list files of an archive at uri: scheme and
// credentials left out, slashes as underscores (apt-pkg/contrib/strutl.cc, URItoFileName).
func listPrefix(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	u.Scheme, u.User = "", nil
	s := strings.TrimSuffix(strings.TrimPrefix(u.String(), "//"), "/")
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '/':
			b.WriteByte('_')
		case c <= 0x20 || c >= 0x7f || strings.IndexByte("\\|{}[]<>\"^~_=!@#$%&*", c) >= 0:
			fmt.Fprintf(&b, "%%%02x", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

package apt

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mesos-forge/forge/builder/event"
)

// Update fetches the indexes of archives for one architecture with apt-get update, which checks
// their signatures, and leaves them as a Snapshot in dir. The directory is made, or must be empty;
// after an error its content is of no use. If apt refuses, the error is an *Error.
func (c *Client) Update(ctx context.Context, archives []Archive, arch, dir string) (*Snapshot, error) {
	if err := checkArchives(archives); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("apt: indexes: %w", err)
	}
	s := &Snapshot{Format: snapshotFormat, Arch: arch, Archives: archives, dir: dir}
	if err := os.MkdirAll(filepath.Join(s.lists(), "partial"), 0o755); err != nil {
		return nil, fmt.Errorf("apt: indexes: %w", err)
	}
	acquire, err := c.userAcquire(ctx)
	if err != nil {
		return nil, err
	}
	r, err := c.newRoot(rootSpec{arch: arch, lists: s.lists(), sources: fetchSources(archives, arch), acquire: acquire})
	if err != nil {
		return nil, err
	}
	defer r.remove()
	what := "fetch the indexes of " + suiteNames(archives)
	c.emit(event.Event{Kind: event.Phase, Message: "apt update"})
	if out, err := c.run(ctx, r.config, "apt-get", "-q", "update"); err != nil {
		return nil, c.updateError(what, out, err)
	}
	if err := c.rename(ctx, r, s); err != nil {
		return nil, fmt.Errorf("apt: %s: %w", what, err)
	}
	if err := s.describe(); err != nil {
		return nil, fmt.Errorf("apt: %s: %w", what, err)
	}
	if err := os.WriteFile(filepath.Join(dir, snapshotFile), s.encode(), 0o644); err != nil {
		return nil, fmt.Errorf("apt: %s: %w", what, err)
	}
	return s, nil
}

// updateError adds to apt's words what a person can do.
func (c *Client) updateError(what, out string, err error) error {
	err = explain(what, out, err)
	e, ok := err.(*Error)
	if !ok {
		return err
	}
	switch {
	case strings.Contains(e.Explanation, "NO_PUBKEY"), strings.Contains(e.Explanation, "not signed"), strings.Contains(e.Explanation, "signatures"):
		e.Hint = "The archive is not signed with a key of its keyring: check apt.mirror, or set apt.keyring to the archive's keyring."
	case strings.Contains(e.Explanation, "resolv"), strings.Contains(e.Explanation, "connect"), strings.Contains(e.Explanation, "unreachable"):
		e.Hint = "The mirror can't be reached: check the network and the proxy (apt's own settings count), or build with --offline from a bundle of forge vendor."
	case strings.Contains(e.Explanation, "404"):
		e.Hint = "The mirror does not have it: check apt.mirror and apt.security_mirror."
	}
	return e
}

func suiteNames(archives []Archive) string {
	var s []string
	for _, a := range archives {
		s = append(s, a.Suites...)
	}
	return strings.Join(s, ", ")
}

// fetchSources is the sources.list to fetch from. Each entry names its keyring, so that no other
// key is looked at.
func fetchSources(archives []Archive, arch string) string {
	var b strings.Builder
	for _, a := range archives {
		for _, suite := range a.Suites {
			fmt.Fprintf(&b, "deb [arch=%s signed-by=%s] %s %s %s\n", arch, a.Keyring, copied(a.URI), suite, strings.Join(a.Components, " "))
		}
	}
	return b.String()
}

// rename gives the list files names without addresses, and removes what apt keeps beside them.
func (c *Client) rename(ctx context.Context, r *root, s *Snapshot) error {
	prefixes, err := c.listPrefixes(ctx, r)
	if err != nil {
		return err
	}
	for _, a := range s.Archives {
		old, ok := prefixes[copied(a.URI)]
		if !ok {
			return fmt.Errorf("the mirror has no index of %s for %s in %s", s.Arch, strings.Join(a.Components, ", "), strings.Join(a.Suites, ", "))
		}
		for _, suite := range a.Suites {
			dist := "_dists_" + strings.ReplaceAll(suite, "/", "_") + "_"
			files := []string{"InRelease", "Release", "Release.gpg"}
			for _, comp := range a.Components {
				files = append(files, strings.ReplaceAll(comp, "/", "_")+"_binary-"+s.Arch+"_Packages")
			}
			for _, f := range files {
				err := os.Rename(old+dist+f, s.listFile(a, suite, f))
				if err != nil && !os.IsNotExist(err) {
					return err
				}
			}
		}
	}
	return s.tidy()
}

// listPrefixes returns, by archive URI, what the paths of its list files begin with.
func (c *Client) listPrefixes(ctx context.Context, r *root) (map[string]string, error) {
	out, err := c.run(ctx, r.config, "apt-get", "indextargets", "--format", "$(REPO_URI) $(FILENAME)", "Created-By: Packages")
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	for l := range strings.Lines(out) {
		uri, file, ok := strings.Cut(strings.TrimSpace(l), " ")
		i := strings.LastIndex(file, "_dists_")
		if !ok || i < 0 {
			return nil, fmt.Errorf("apt-get indextargets: unexpected line %q", l)
		}
		m[strings.TrimSuffix(uri, "/")] = file[:i]
	}
	return m, nil
}

// tidy removes what is no list file of ours, and checks that each suite has its index.
func (s *Snapshot) tidy() error {
	keep := map[string]bool{}
	for _, a := range s.Archives {
		for _, suite := range a.Suites {
			for _, f := range []string{"InRelease", "Release", "Release.gpg"} {
				keep[filepath.Base(s.listFile(a, suite, f))] = true
			}
			for _, comp := range a.Components {
				name := s.listFile(a, suite, strings.ReplaceAll(comp, "/", "_")+"_binary-"+s.Arch+"_Packages")
				// apt keeps no file for an index that is empty: Debian's updates suites are at times.
				f, err := os.OpenFile(name, os.O_CREATE|os.O_RDONLY, 0o644)
				if err != nil {
					return err
				}
				if err := f.Close(); err != nil {
					return err
				}
				keep[filepath.Base(name)] = true
			}
		}
	}
	entries, err := os.ReadDir(s.lists())
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(s.lists(), e.Name())
		if !keep[e.Name()] {
			err = os.RemoveAll(name)
		} else {
			err = os.Chmod(name, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

package deb

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/goreleaser/nfpm/v2/files"

	"github.com/mesos-forge/forge/builder/recipe"
)

// nfpmContents turns the contents of the nfpm block into entries: nfpm expands globs and trees,
// defaults and the packager filter.
func (s *Spec) nfpmContents() ([]Entry, error) {
	var raw files.Contents
	for _, c := range s.Info.Contents {
		own := *c
		if own.Type != files.TypeSymlink && own.Source != "" && !filepath.IsAbs(own.Source) {
			own.Source = filepath.Join(s.Dir, own.Source)
		}
		raw = append(raw, &own)
	}
	// The umask is fixed: a checkout's modes depend on its owner's, only the x bit counts.
	prepared, err := files.PrepareForPackager(raw, 0, "deb", s.Info.DisableGlobbing, s.Info.MTime)
	if err != nil {
		return nil, fmt.Errorf("package %s: contents: %w", s.Info.Name, err)
	}
	var out []Entry
	for _, c := range prepared {
		e := Entry{Path: strings.TrimSuffix(c.Destination, "/"), Source: c.Source,
			Mode:  chmodBits(c.FileInfo.Mode) | uint32(c.FileInfo.Mode)&0o7000,
			Owner: c.FileInfo.Owner, Group: c.FileInfo.Group}
		switch c.Type {
		case files.TypeImplicitDir:
			continue // a parent: added later, as root's
		case files.TypeDir:
			e.Kind, e.Source = recipe.EntryDir, ""
		case files.TypeSymlink:
			e.Kind, e.Target, e.Source = recipe.EntryLink, c.Source, ""
		case files.TypeConfig, files.TypeConfigNoReplace, files.TypeConfigMissingOK:
			e.Kind, e.Conffile = recipe.EntryFile, true
		case files.TypeFile:
			e.Kind = recipe.EntryFile
		default:
			return nil, fmt.Errorf("package %s: contents: type %q of %s has no meaning in a deb", s.Info.Name, c.Type, c.Destination)
		}
		if !s.givenMode(c) {
			e.Mode = gitMode(e.Kind, e.Mode)
		}
		out = append(out, e)
	}
	return out, nil
}

// givenMode says whether the recipe sets the mode of a content; otherwise it is the host's.
func (s *Spec) givenMode(c *files.Content) bool {
	for _, raw := range s.Info.Contents {
		if raw.FileInfo == nil || raw.FileInfo.Mode == 0 {
			continue
		}
		dst := files.NormalizeAbsoluteFilePath(raw.Destination)
		if dst == c.Destination || strings.HasPrefix(c.Destination, strings.TrimSuffix(dst, "/")+"/") {
			return true
		}
	}
	return false
}

// gitMode is what git keeps of a mode.
func gitMode(kind recipe.EntryKind, mode uint32) uint32 {
	if kind == recipe.EntryDir || mode&0o111 != 0 {
		return 0o755
	}
	return 0o644
}

package recipe

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Input is one thing of the checkout that a result depends on: the settings
// of a recipe file in canonical form, or a file's bytes.
type Input struct {
	// Name is the path in the checkout, which `forge plan` shows:
	// "recipes/bookworm/components/hdfs.yaml", "overlays/slave/etc/motd".
	Name string `json:"name"`
	// SHA256 of the canonical settings or of the file, 64 hexadecimal digits.
	SHA256 string `json:"sha256"`
}

// ComponentInputs are what the package forge-NAME is made of apart from its
// artifacts and programs: the component's settings (without those of a
// stand-in), its templates, scripts and files, and its overlay. Sorted by
// name. The component must be one of the stack's.
func (s *Stack) ComponentInputs(name string) []Input {
	c := *s.Components[name]
	files := s.operationFiles(c.Dir, c.Layout)
	files = append(files, packageFiles(c.Dir, c.Package)...)
	for _, t := range c.Templates() {
		files = append(files, t)
	}
	if c.Upstream != nil {
		u := *c.Upstream
		u.Standin, u.Tarball = nil, nil
		c.Upstream = &u
	}
	return s.inputs(c.Path, c, files, c.Overlay)
}

// StandinInputs are what the stand-in of a component is made of, or nil.
func (s *Stack) StandinInputs(name string) []Input {
	c := s.Components[name]
	if c.Upstream == nil || c.Upstream.Standin == nil {
		return nil
	}
	st := c.Upstream.Standin
	files := append(s.operationFiles(c.Dir, st.Layout), packageFiles(c.Dir, st.Package)...)
	return s.inputs(c.Path, struct {
		Name     string
		Upstream string
		Standin  Standin
	}{c.Name, c.Upstream.Package, *st}, files, st.Overlay)
}

// TarballInputs are what the upstream's package of a component is made of besides
// the release archive, or nil.
func (s *Stack) TarballInputs(name string) []Input {
	c := s.Components[name]
	if c.Upstream == nil || c.Upstream.Tarball == nil {
		return nil
	}
	t := c.Upstream.Tarball
	files := append(s.operationFiles(c.Dir, t.Layout), packageFiles(c.Dir, t.Package)...)
	return s.inputs(c.Path, struct {
		Name, Upstream, Homepage, Licence string
		Copyright                         []string
		Tarball                           Tarball
	}{c.Name, c.Upstream.Package, c.Homepage, c.Licence, c.Copyright, *t}, files, t.Overlay)
}

// RoleInputs are what the package forge-role-NAME is made of.
func (s *Stack) RoleInputs(name string) []Input {
	r, ok := s.Roles[name]
	if !ok {
		r = s.ToolRoles[name]
	}
	inputs := s.inputs(r.Path, *r, packageFiles(r.Dir, r.Package), r.Overlay)
	if s.InitSystem != "" { // it is in the role's manifest
		inputs = append(inputs, Input{Name: s.Path + " init_system", SHA256: canonical(s.InitSystem)})
	}
	return inputs
}

// OverlayInputs are the files of an overlay, and what its overlay.yaml says
// about them.
func (s *Stack) OverlayInputs(name string) []Input {
	o, ok := s.Overlays[name]
	if !ok {
		return nil
	}
	inputs := []Input{{Name: path.Join(overlaysDir, name, "overlay.yaml"), SHA256: canonical(attributes(o.Entries))}}
	for _, e := range o.Entries {
		if e.Kind == EntryFile {
			inputs = append(inputs, Input{Name: e.Source, SHA256: e.SHA256})
		}
	}
	return inputs
}

// attributes are the entries without what their files hold, so that an edited
// file is one changed input and not two.
func attributes(entries []OverlayEntry) []OverlayEntry {
	out := slices.Clone(entries)
	for i := range out {
		out[i].SHA256, out[i].Size = "", 0
	}
	return out
}

func (s *Stack) inputs(file string, settings any, files []string, overlay string) []Input {
	inputs := []Input{{Name: file, SHA256: canonical(settings)}}
	slices.Sort(files)
	for _, f := range slices.Compact(files) {
		inputs = append(inputs, Input{Name: f, SHA256: s.digests[f]})
	}
	inputs = append(inputs, s.OverlayInputs(overlay)...)
	slices.SortFunc(inputs, func(a, b Input) int { return strings.Compare(a.Name, b.Name) })
	return inputs
}

// canonical is the sha256 of the JSON of v: fields in the order of the types,
// maps sorted, nothing of the YAML's form.
func canonical(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		// The types hold nothing that JSON can't; a test marshals all of them.
		b = fmt.Appendf(nil, "%#v", v)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (s *Stack) operationFiles(dir string, ops []Operation) []string {
	var files []string
	for _, op := range ops {
		if op.File != "" {
			files = append(files, path.Join(dir, op.File))
		}
		for _, name := range op.Add {
			files = append(files, path.Join(dir, name))
		}
		if op.Java != "" {
			files = append(files, s.JavaSources(dir, op.Java)...)
		}
	}
	return files
}

// JavaSources are the sources of an operation of a recipe in dir, as paths in the checkout, sorted.
func (s *Stack) JavaSources(dir, folder string) []string {
	var files []string
	for name := range s.digests {
		if strings.HasPrefix(name, path.Join(dir, folder)+"/") && path.Ext(name) == ".java" {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return files
}

// packageFiles are the files that an nfpm block names.
func packageFiles(dir string, p Package) []string {
	var files []string
	for _, name := range packageScripts(p) {
		if name != "" {
			files = append(files, path.Join(dir, name))
		}
	}
	for _, c := range p.Contents {
		if !sourceless(c.Type) {
			files = append(files, path.Join(dir, c.Source))
		}
	}
	return files
}

// packageScripts are the files of maintainer scripts by key.
func packageScripts(p Package) map[string]string {
	return map[string]string{
		"scripts/preinstall": p.Scripts.PreInstall, "scripts/postinstall": p.Scripts.PostInstall,
		"scripts/preremove": p.Scripts.PreRemove, "scripts/postremove": p.Scripts.PostRemove,
		"deb/scripts/rules": p.Deb.Scripts.Rules, "deb/scripts/templates": p.Deb.Scripts.Templates,
		"deb/scripts/config": p.Deb.Scripts.Config,
	}
}

// sourceless says whether nfpm's content type has no file of its own.
func sourceless(contentType string) bool {
	return contentType == "symlink" || contentType == "dir" || contentType == "ghost"
}

package node

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// file renders one manifest entry: one file, or with FormatFlags several.
func (r *renderer) file(c Component, f File) ([]RenderedFile, error) {
	where, err := r.paths(f.Path)
	if err != nil {
		return nil, err
	}
	if len(where) != 1 {
		return nil, fmt.Errorf("its path renders to %d paths", len(where))
	}
	var contents, shown map[string][]byte
	holds, err := r.secrets.within(false, func() (err error) {
		contents, err = r.content(c, f, where[0])
		return err
	})
	if err == nil && holds {
		_, err = r.secrets.within(true, func() (err error) {
			shown, err = r.content(c, f, where[0])
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	mode, err := fileMode(f.Mode, holds)
	if err != nil {
		return nil, err
	}
	base := RenderedFile{Mode: mode, Owner: or(f.Owner, "root"), Group: or(f.Group, "root"), Flag: f.Format == FormatFlags, Restart: r.restarts(c, f)}
	if holds && len(f.Fixed) > 0 {
		return nil, fmt.Errorf("it holds a secret and is fixed, so its content would be recorded and told: put the secret into another file")
	}
	for _, text := range f.Fixed {
		paths, err := r.paths(text)
		if err != nil {
			return nil, fmt.Errorf("fixed: %w", err)
		}
		base.Fixed = append(base.Fixed, paths...)
	}
	var files []RenderedFile
	for _, p := range slices.Sorted(maps.Keys(contents)) {
		one := base
		one.Path, one.Content, one.shown = p, contents[p], shown[p]
		files = append(files, one)
	}
	return files, nil
}

// fileMode is a file's mode; one that holds a secret is for nobody else.
func fileMode(mode string, secret bool) (fs.FileMode, error) {
	if !secret {
		return parseMode(mode, 0o644)
	}
	m, err := parseMode(mode, 0o600)
	if err == nil && m&0o007 != 0 {
		return 0, fmt.Errorf("it holds a secret, and its mode %s lets everybody read or change it: leave mode out, or give one that ends in 0", mode)
	}
	return m, err
}

func (r *renderer) content(c Component, f File, where string) (map[string][]byte, error) {
	if f.Format == FormatTemplate {
		text, err := r.img.template(c.Name, f.Template)
		if err != nil {
			return nil, fmt.Errorf("its template: %w", err)
		}
		r.data.Extra = map[string]string{}
		r.extra(f, r.data.Extra)
		out, err := r.evaluate(c.Name+"/"+f.Template, text)
		r.data.Extra = nil
		return map[string][]byte{where: []byte(out)}, err
	}
	settings, err := r.settings(f)
	if err != nil {
		return nil, err
	}
	if f.Format == FormatFlags {
		return flags(where, settings)
	}
	formats := map[Format]func(map[string]string) ([]byte, error){FormatHadoopXML: hadoopXML, FormatEnv: env, FormatExports: exports, FormatProperties: properties}
	format, ok := formats[f.Format]
	if !ok {
		return nil, fmt.Errorf("unknown format %q", f.Format)
	}
	content, err := format(settings)
	return map[string][]byte{where: content}, err
}

// settings evaluates the manifest's values and lays the inventory's over them.
func (r *renderer) settings(f File) (map[string]string, error) {
	out := map[string]string{}
	for _, k := range slices.Sorted(maps.Keys(f.Settings)) {
		v, err := r.evaluate(k, f.Settings[k])
		if err != nil {
			return nil, fmt.Errorf("setting %s: %w", k, err)
		}
		name, err := r.evaluate("a setting's name", k)
		if err != nil {
			return nil, fmt.Errorf("setting %s: its name: %w", k, err)
		}
		if _, twice := out[name]; twice && name != "" {
			return nil, fmt.Errorf("setting %s: another one is named %s too", k, name)
		}
		out[name] = v
	}
	delete(out, "")
	r.extra(f, out)
	for k, v := range out {
		if v == "" {
			delete(out, k)
			continue
		}
		out[k] = strings.ReplaceAll(v, emptyMark, "")
	}
	return out, r.required(f, out)
}

// ErrRequired is why a file can't be rendered that lacks a key of its manifest's required.
var ErrRequired = errors.New("required key")

// required makes sure that the keys are there without which the software can't do its work.
func (r *renderer) required(f File, settings map[string]string) error {
	for _, text := range f.Required {
		key, err := r.evaluate("required", text)
		if err != nil {
			return err
		}
		if key = strings.TrimSpace(key); key == "" || settings[key] != "" {
			continue
		}
		for _, name := range f.Extra {
			if v, ok := r.inv.Extra[name][key]; ok && v == "" {
				return fmt.Errorf("%w %s is empty: the inventory's extra.%s takes it away; give it a value there, or leave it out", ErrRequired, key, name)
			}
		}
		return fmt.Errorf("%w %s is missing or empty", ErrRequired, key)
	}
	return nil
}

// extra lays the inventory's settings for a file over others.
func (r *renderer) extra(f File, over map[string]string) {
	for _, name := range f.Extra {
		switch name {
		case "node.attributes":
			maps.Copy(over, r.data.Mesos.Attributes)
		case "node.resources":
			maps.Copy(over, r.data.Mesos.Resources)
		default:
			maps.Copy(over, r.inv.Extra[name])
		}
	}
}

func (r *renderer) restarts(c Component, f File) []string {
	names := f.Restart
	if len(names) == 0 {
		names = f.When
	}
	if len(names) == 0 {
		for _, s := range c.Services {
			names = append(names, s.Name)
		}
	}
	if len(c.Services) == 0 && len(names) == 0 {
		return slices.Clone(r.data.Services)
	}
	var out []string
	for _, n := range names {
		if r.running[n] {
			out = append(out, n)
		}
	}
	return out
}

// paths renders a template of absolute paths, one a line.
func (r *renderer) paths(text string) ([]string, error) {
	out, err := r.evaluate(text, text)
	if err != nil {
		return nil, err
	}
	var paths []string
	for line := range strings.Lines(out) {
		p := strings.TrimSpace(line)
		if p == "" {
			continue
		}
		if !path.IsAbs(p) || path.Clean(p) != p || p == "/" {
			return nil, fmt.Errorf("%q is not a plain absolute path", p)
		}
		paths = append(paths, p)
	}
	return paths, nil
}

// specialBits are the bits of a mode beyond 0777, as chmod writes them and as Go does.
var specialBits = map[uint32]fs.FileMode{0o1000: fs.ModeSticky, 0o2000: fs.ModeSetgid, 0o4000: fs.ModeSetuid}

func parseMode(mode string, otherwise fs.FileMode) (fs.FileMode, error) {
	if mode == "" {
		return otherwise, nil
	}
	m, err := strconv.ParseUint(mode, 8, 32)
	if err != nil || m > 0o7777 {
		return 0, fmt.Errorf("mode %q is not octal", mode)
	}
	out := fs.FileMode(m & 0o777)
	for bit, mode := range specialBits {
		if uint32(m)&bit != 0 {
			out |= mode
		}
	}
	return out, nil
}

func or(v, otherwise string) string {
	if v == "" {
		return otherwise
	}
	return v
}

func listOrNone(l []string) string { return or(strings.Join(l, ", "), "none") }

package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Where the packages of an image put what the agent reads, below its root.
const (
	componentsDir = "usr/share/forge/components"
	rolesDir      = "usr/share/forge/roles"
	templatesDir  = "usr/share/forge/templates"
	standinsDir   = "usr/share/forge/standins"
)

const maxManifest = 1 << 20

// Image is what a machine was made to be able to do: the manifests and
// templates of its packages.
type Image struct {
	Components map[string]Component // by name
	Roles      map[string]Role      // by name
	// StandIns are labels that stand-ins carry, by component. They go with the package, so that the
	// real one takes the label away when it takes the stand-in's place.
	StandIns map[string]StandIn
	// Templates holds COMPONENT/FILE.
	Templates fs.FS
}

// LoadImage reads the manifests below a root directory. It is strict: an
// unknown field, a name that differs from its file's or a role that names what
// is not there is an error.
func LoadImage(root string) (*Image, error) {
	img := &Image{Templates: os.DirFS(filepath.Join(root, templatesDir))}
	var err error
	if img.Components, err = loadManifests(root, componentsDir, func(c Component) string { return c.Name }); err != nil {
		return nil, err
	}
	if img.Roles, err = loadManifests(root, rolesDir, func(r Role) string { return r.Name }); err != nil {
		return nil, err
	}
	if img.StandIns, err = loadManifests(root, standinsDir, func(s StandIn) string { return s.Name }); err != nil {
		return nil, err
	}
	return img, img.Check()
}

// StandIn is the label of a package that stands in for a component's software.
type StandIn struct {
	Name    string `json:"name"`    // of the component
	Package string `json:"package"` // that it stands in for
	Version string `json:"version"`
}

func loadManifests[T any](root, dir string, nameOf func(T) string) (map[string]T, error) {
	full := filepath.Join(root, dir)
	entries, err := os.ReadDir(full)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]T{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the image's manifests: %w", err)
	}
	all := map[string]T{}
	for _, e := range entries {
		name, isJSON := strings.CutSuffix(e.Name(), ".json")
		if !isJSON {
			continue
		}
		file := filepath.Join(full, e.Name())
		data, err := readBounded(file, maxManifest)
		if err != nil {
			return nil, err
		}
		var m T
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&m); err != nil {
			return nil, fmt.Errorf("%s: %w; was it made for another version of forge-node?", file, err)
		}
		if nameOf(m) != name {
			return nil, fmt.Errorf("%s: its name is %q", file, nameOf(m))
		}
		all[name] = m
	}
	return all, nil
}

// Check tells whether the roles name only components and services that exist
// and whether every service name is used once.
func (img *Image) Check() error {
	owner := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(img.Components)) {
		for _, s := range img.Components[name].Services {
			if other, ok := owner[s.Name]; ok {
				return fmt.Errorf("service %q belongs to two components: %s and %s", s.Name, other, name)
			}
			owner[s.Name] = name
		}
	}
	for _, name := range slices.Sorted(maps.Keys(img.Roles)) {
		r := img.Roles[name]
		if !slices.Contains([]InitSystem{"", InitSystemd, InitUpstart}, r.InitSystem) {
			return fmt.Errorf("role %q is for the init system %q, which this forge-node does not know", name, r.InitSystem)
		}
		for _, c := range r.Components {
			if _, ok := img.Components[c]; !ok {
				return fmt.Errorf("role %q needs the component %q, which this image does not hold: is a package missing?", name, c)
			}
		}
		for _, s := range r.Services {
			if c, ok := owner[s]; !ok || !slices.Contains(r.Components, c) {
				return fmt.Errorf("role %q runs the service %q, which none of its components has", name, s)
			}
		}
	}
	return nil
}

// RoleNames returns the roles that the image holds, sorted.
func (img *Image) RoleNames() []string { return slices.Sorted(maps.Keys(img.Roles)) }

// Standins returns the names of the components that stand-ins take the place
// of, sorted.
func (img *Image) Standins() []string {
	names := slices.AppendSeq([]string{}, maps.Keys(img.StandIns))
	slices.Sort(names)
	return names
}

func (img *Image) template(component, name string) (string, error) {
	f, err := img.Templates.Open(path.Join(component, name))
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	return readAllBounded(f, name, maxManifest)
}

// readBounded reads a file that must not be larger than limit bytes.
func readBounded(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	s, err := readAllBounded(f, file, limit)
	return []byte(s), err
}

func readAllBounded(r io.Reader, name string, limit int64) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return "", fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return string(data), nil
}

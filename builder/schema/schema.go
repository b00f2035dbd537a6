package schema

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
	"github.com/invopop/jsonschema"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/recipe"
)

// inventory is the kind of file that cluster.yaml is.
const inventory = "inventory"

// comments are the documentation comments of the inventory's types, by qualified name, as a program
// has no sources to read them from. `go test -update` writes them.
//
//go:embed comments.json
var comments []byte

// Kinds are the kinds of files that have a schema, sorted.
func Kinds() []string {
	kinds := append(recipe.SchemaKinds(), inventory)
	slices.Sort(kinds)
	return kinds
}

// Of is the JSON schema (draft 2020-12) of one kind.
func Of(kind string) ([]byte, error) {
	if kind != inventory {
		b, err := recipe.Schema(kind)
		var unknown *recipe.NotFoundError
		if errors.As(err, &unknown) {
			unknown.Have = Kinds()
		}
		return b, err
	}
	// Nothing but what the tags name is required: all else is derived.
	r := &jsonschema.Reflector{FieldNameTag: "yaml", ExpandedStruct: true, Anonymous: true, RequiredFromJSONSchemaTags: true}
	if err := json.Unmarshal(comments, &r.CommentMap); err != nil {
		return nil, fmt.Errorf("comments of the inventory's types: %w", err)
	}
	s := r.Reflect(&cluster.Inventory{})
	s.Title = "forge " + inventory
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", inventory, err)
	}
	return append(b, '\n'), nil
}

// File is the name of a kind's schema in the folder of schemas.
func File(kind string) string { return kind + ".schema.json" }

// Stale returns the paths below dir that don't hold the schema of their kind.
func Stale(dir string) ([]string, error) {
	var stale []string
	for _, kind := range Kinds() {
		want, err := Of(kind)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, File(kind))
		have, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("schema of %s: %w", kind, err)
		}
		if err != nil || !bytes.Equal(have, want) {
			stale = append(stale, path)
		}
	}
	return stale, nil
}

// Write brings the schemas below dir, which it makes, up to date and returns the paths that it wrote.
func Write(dir string) ([]string, error) {
	stale, err := Stale(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("schemas: %w", err)
	}
	for _, kind := range Kinds() {
		path := filepath.Join(dir, File(kind))
		if !slices.Contains(stale, path) {
			continue
		}
		b, err := Of(kind)
		if err != nil {
			return nil, err
		}
		if err := renameio.WriteFile(path, b, 0o644); err != nil {
			return nil, fmt.Errorf("schemas: %w", err)
		}
	}
	return stale, nil
}

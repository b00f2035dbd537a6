package recipe

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

// comments are the documentation comments of the types, by qualified name, as
// a program has no sources to read them from. `go test -update` writes them.
//
//go:embed comments.json
var comments []byte

// SchemaKinds are the kinds that [Schema] knows.
func SchemaKinds() []string { return []string{"component", "overlay", "role", "stack"} }

// Schema is the JSON schema (draft 2020-12) of one kind of recipe file, from
// the types that decode it. Editors find it by the comment in the file's first
// line; the copies below recipes/schema/ are what they read.
func Schema(kind string) ([]byte, error) {
	var v any
	switch kind {
	case "stack":
		v = &Stack{}
	case "component":
		v = &Component{}
	case "role":
		v = &Role{}
	case "overlay":
		v = &Overlay{}
	default:
		return nil, &NotFoundError{Kind: "schema", Name: kind, In: "forge", Have: SchemaKinds()}
	}
	r := &jsonschema.Reflector{FieldNameTag: "yaml", ExpandedStruct: true, Anonymous: true, Mapper: fileMode}
	if err := json.Unmarshal(comments, &r.CommentMap); err != nil {
		return nil, fmt.Errorf("comments of the recipe types: %w", err)
	}
	s := r.Reflect(v)
	s.Title = "forge " + kind
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", kind, err)
	}
	return append(bytes.TrimSpace(b), '\n'), nil
}

// fileMode describes os.FileMode, which YAML writes as an octal number.
func fileMode(t reflect.Type) *jsonschema.Schema {
	if t != reflect.TypeFor[os.FileMode]() {
		return nil
	}
	return &jsonschema.Schema{Type: "integer", Description: "permission bits, octal: 0o644"}
}

// JSONSchemaExtend leaves out of nfpm's block what forge sets itself.
func (Package) JSONSchemaExtend(s *jsonschema.Schema) {
	for _, key := range forgeKeys {
		s.Properties.Delete(key)
	}
	s.Required = nil
	s.Description = strings.TrimSpace(s.Description)
}

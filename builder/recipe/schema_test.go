package recipe

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
)

var update = flag.Bool("update", false, "write golden files and published schemas")

// typeComments reads the comments of the recipe's types out of the sources.
func typeComments(t *testing.T) []byte {
	t.Helper()
	r := &jsonschema.Reflector{}
	for _, dir := range []string{".", "../node"} {
		if err := r.AddGoComments("github.com/mesos-forge/forge/builder/recipe", dir); err != nil {
			t.Fatal(err)
		}
	}
	used := map[string]string{}
	for _, kind := range []any{&Stack{}, &Component{}, &Role{}, &Overlay{}} {
		seen := &jsonschema.Reflector{FieldNameTag: "yaml", CommentMap: r.CommentMap}
		b, err := json.Marshal(seen.Reflect(kind))
		if err != nil {
			t.Fatal(err)
		}
		for key, text := range r.CommentMap {
			quoted, _ := json.Marshal(text)
			if text != "" && bytes.Contains(b, quoted) {
				used[key] = text
			}
		}
	}
	b, err := json.MarshalIndent(used, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// TestCommentsUpToDate: comments.json says what the sources say.
func TestCommentsUpToDate(t *testing.T) {
	golden(t, "comments.json", typeComments(t))
}

// TestSchemaUpToDate: the schemas that editors read are those of the types.
func TestSchemaUpToDate(t *testing.T) {
	for _, kind := range SchemaKinds() {
		b, err := Schema(kind)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "../../recipes/schema/"+kind+".schema.json", b)
	}
}

func golden(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date: run `go test ./builder/recipe -run UpToDate -update` twice (the schemas embed the comments)", file)
	}
}

func TestSchemaOfComponent(t *testing.T) {
	b, err := Schema("component")
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Required   []string
		Properties map[string]struct {
			Ref         string `json:"$ref"`
			Description string
			Pattern     string
		}
		Defs map[string]struct {
			Required             []string
			Properties           map[string]json.RawMessage
			AdditionalProperties *bool
		} `json:"$defs"`
		AdditionalProperties *bool
	}
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	if s.AdditionalProperties == nil || *s.AdditionalProperties {
		t.Error("the schema allows unknown keys")
	}
	if got := strings.Join(s.Required, " "); got != "name summary version licence homepage" {
		t.Errorf("required keys: %s", got)
	}
	if s.Properties["version"].Pattern == "" || !strings.Contains(s.Properties["licence"].Description, "SPDX") {
		t.Errorf("version and licence lack their pattern or text: %+v", s.Properties)
	}
	p := s.Defs["Package"]
	if _, ok := p.Properties["depends"]; !ok {
		t.Error("the package block lacks nfpm's depends")
	}
	if _, ok := p.Properties["version"]; ok || len(p.Required) > 0 {
		t.Error("the package block asks for what forge sets")
	}
	if _, ok := s.Defs["Service"].Properties["runit"]; !ok {
		t.Error("services lack node's runit")
	}
}

// TestSchemaReference: every recipe names its schema in its first line.
func TestSchemaReference(t *testing.T) {
	patterns := map[string]string{
		"stack":     "../../recipes/*/stack.yaml",
		"component": "../../recipes/*/components/*.yaml",
		"role":      "../../recipes/*/roles/*.yaml",
		"overlay":   "../../overlays/*/overlay.yaml",
	}
	for kind, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			line, _, _ := strings.Cut(string(b), "\n")
			ref, ok := strings.CutPrefix(line, "# yaml-language-server: $schema=")
			if !ok {
				t.Errorf("%s doesn't name its schema in the first line", file)
				continue
			}
			target := filepath.Join(filepath.Dir(file), ref)
			if filepath.Clean(target) != filepath.Clean("../../recipes/schema/"+kind+".schema.json") {
				t.Errorf("%s names %s", file, target)
			}
		}
	}
}

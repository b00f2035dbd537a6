package schema

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/invopop/jsonschema"

	"github.com/mesos-forge/forge/builder/cluster"
)

var update = flag.Bool("update", false, "write comments.json and the published schemas")

const published = "../../recipes/schema"

// TestCommentsUpToDate: comments.json says what the sources of package cluster say.
func TestCommentsUpToDate(t *testing.T) {
	r := &jsonschema.Reflector{}
	if err := r.AddGoComments("github.com/mesos-forge/forge/builder/schema", "../cluster"); err != nil {
		t.Fatal(err)
	}
	reached := map[string]bool{}
	walk(reflect.TypeFor[cluster.Inventory](), reached)
	used := map[string]string{}
	for key, text := range r.CommentMap {
		typ, _, _ := strings.Cut(filepath.Base(key)[len("cluster."):], ".")
		if text != "" && reached[typ] {
			used[key] = text
		}
	}
	want, err := json.MarshalIndent(used, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile("comments.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(comments, want) {
		t.Error("comments.json is out of date: run `go test ./builder/schema -run UpToDate -update` twice (the schemas embed the comments)")
	}
}

// walk collects the names of the structs that a type is made of.
func walk(t reflect.Type, seen map[string]bool) {
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer, reflect.Map:
		walk(t.Elem(), seen)
	case reflect.Struct:
		seen[t.Name()] = true
		for i := range t.NumField() {
			walk(t.Field(i).Type, seen)
		}
	}
}

// TestSchemasUpToDate: what editors read is what the types say.
func TestSchemasUpToDate(t *testing.T) {
	if *update {
		if _, err := Write(published); err != nil {
			t.Fatal(err)
		}
		return
	}
	stale, err := Stale(published)
	if err != nil || len(stale) > 0 {
		t.Errorf("out of date: %v, %v; run `go run ./cmd/forge schema`", stale, err)
	}
	files, err := filepath.Glob(published + "/*")
	if err != nil || len(files) != len(Kinds()) {
		t.Errorf("%v, %v; want a file for each of %v", files, err, Kinds())
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "schemas")
	first, err := Write(dir)
	if err != nil || len(first) != len(Kinds()) {
		t.Fatalf("Write = %v, %v; want all of %v", first, err, Kinds())
	}
	role := filepath.Join(dir, "role.schema.json")
	if err := os.WriteFile(role, []byte("{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if stale, err := Stale(dir); err != nil || !slices.Equal(stale, []string{role}) {
		t.Errorf("Stale = %v, %v; want the changed file", stale, err)
	}
	if again, err := Write(dir); err != nil || !slices.Equal(again, []string{role}) {
		t.Errorf("Write = %v, %v; want the changed file alone", again, err)
	}
	if stale, err := Stale(dir); err != nil || len(stale) > 0 {
		t.Errorf("Stale = %v, %v; want none", stale, err)
	}
}

func TestUnknownKind(t *testing.T) {
	if _, err := Of("inventry"); err == nil || !strings.Contains(err.Error(), `did you mean "inventory"?`) {
		t.Errorf("error = %v; want a suggestion", err)
	}
}

// TestInventory holds the schema against the decoder: it knows the keys of the example, and asks for
// what the rules ask for.
func TestInventory(t *testing.T) {
	b, err := Of(inventory)
	if err != nil {
		t.Fatal(err)
	}
	var s node
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("../../cluster.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var example any
	if err := yaml.Unmarshal(raw, &example); err != nil {
		t.Fatal(err)
	}
	for _, problem := range s.complaints("", example, s.Defs) {
		t.Error(problem)
	}
	bad := map[string]any{"name": "lab", "nodes": []any{map[string]any{"name": "a", "adress": "10.0.0.1"}}}
	want := []string{"networks is missing", "nodes[0]: address is missing", "nodes[0]: role is missing", "nodes[0]: adress is not known"}
	got := s.complaints("", bad, s.Defs)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("complaints = %q; want %q", got, want)
	}
}

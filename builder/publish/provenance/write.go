package provenance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"

	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// Write writes the statement as JSON.
func Write(w io.Writer, b Build) error {
	parameters, err := asStruct(b.Parameters)
	if err != nil {
		return fmt.Errorf("provenance of role %s: %w", b.Parameters.Role, err)
	}
	predicate := &slsa.Provenance{
		BuildDefinition: &slsa.BuildDefinition{BuildType: BuildType, ExternalParameters: parameters, ResolvedDependencies: b.inputs()},
		RunDetails:      &slsa.RunDetails{Builder: &slsa.Builder{Id: Builder, Version: b.Forge.versions()}, Byproducts: descriptors(b.Byproducts)},
	}
	if err := predicate.Validate(); err != nil {
		return fmt.Errorf("provenance of role %s: %w", b.Parameters.Role, err)
	}
	return WriteStatement(w, PredicateType, b.Subjects, predicate)
}

// WriteStatement writes an in-toto statement about subjects as JSON. predicate is a message of a specification, or
// anything that marshals to a JSON object.
func WriteStatement(w io.Writer, predicateType string, subjects []File, predicate any) error {
	fields, err := asStruct(predicate)
	if err != nil {
		return fmt.Errorf("statement %s: %w", predicateType, err)
	}
	s := &intoto.Statement{Type: intoto.StatementTypeUri, Subject: descriptors(subjects), PredicateType: predicateType, Predicate: fields}
	if err := s.Validate(); err != nil {
		return fmt.Errorf("statement %s: %w", predicateType, err)
	}
	text, err := protojson.Marshal(s)
	if err != nil {
		return fmt.Errorf("statement %s: %w", predicateType, err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil { // protojson's blanks differ from program to program
		return fmt.Errorf("statement %s: %w", predicateType, err)
	}
	out.WriteByte('\n')
	_, err = w.Write(out.Bytes())
	return err
}

// asStruct turns a value into a JSON object of the protobuf library.
func asStruct(v any) (*structpb.Struct, error) {
	var text []byte
	var err error
	if m, ok := v.(proto.Message); ok {
		text, err = protojson.Marshal(m)
	} else {
		text, err = json.Marshal(v)
	}
	if err != nil {
		return nil, err
	}
	out := &structpb.Struct{}
	return out, protojson.Unmarshal(text, out)
}

func descriptors(files []File) []*intoto.ResourceDescriptor {
	var out []*intoto.ResourceDescriptor
	for _, f := range files {
		out = append(out, &intoto.ResourceDescriptor{Name: f.Name, MediaType: f.MediaType, Digest: map[string]string{"sha256": f.SHA256}})
	}
	return out
}

func (c Checkout) versions() map[string]string {
	out := maps.Clone(c.Tools)
	if c.Version != "" {
		if out == nil {
			out = map[string]string{}
		}
		out["forge"] = c.Version
	}
	return out
}

package provenance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// ErrForeign says that a statement is none that this package wrote.
var ErrForeign = errors.New("not provenance of forge")

// Statement is what every in-toto statement says.
type Statement struct {
	PredicateType string
	Subjects      []File
	predicate     []byte // JSON
}

// ReadStatement reads an in-toto statement of at most MaxStatement bytes.
func ReadStatement(text []byte) (*Statement, error) {
	if len(text) > MaxStatement {
		return nil, fmt.Errorf("in-toto statement: more than %d bytes", MaxStatement)
	}
	var s intoto.Statement
	if err := protojson.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("in-toto statement: %w", err)
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("in-toto statement: %w", err)
	}
	predicate, err := protojson.Marshal(s.GetPredicate())
	if err != nil {
		return nil, fmt.Errorf("in-toto statement: %w", err)
	}
	return &Statement{PredicateType: s.GetPredicateType(), Subjects: files(s.GetSubject()), predicate: predicate}, nil
}

// Has tells whether the statement is about what has this sha256, in hexadecimal digits.
func (s *Statement) Has(sha256 string) bool {
	for _, f := range s.Subjects {
		if f.SHA256 == sha256 {
			return true
		}
	}
	return false
}

// Read reads a statement that Write wrote.
func Read(text []byte) (*Provenance, error) {
	s, err := ReadStatement(text)
	if err != nil {
		return nil, err
	}
	if s.PredicateType != PredicateType {
		return nil, fmt.Errorf("%w: predicate %s, expected %s", ErrForeign, s.PredicateType, PredicateType)
	}
	var p slsa.Provenance
	if err := protojson.Unmarshal(s.predicate, &p); err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	definition, details := p.GetBuildDefinition(), p.GetRunDetails()
	if definition.GetBuildType() != BuildType {
		return nil, fmt.Errorf("%w: build type %q, known is %s", ErrForeign, definition.GetBuildType(), BuildType)
	}
	out := &Provenance{Subjects: s.Subjects, Versions: details.GetBuilder().GetVersion(), Byproducts: files(details.GetByproducts())}
	parameters, err := protojson.Marshal(definition.GetExternalParameters())
	if err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(parameters))
	d.DisallowUnknownFields() // a parameter that is not known here would be left out of a rebuild
	if err := d.Decode(&out.Parameters); err != nil {
		return nil, fmt.Errorf("provenance: parameters of the build: %w", err)
	}
	for _, in := range definition.GetResolvedDependencies() {
		out.Inputs = append(out.Inputs, Input{Name: in.GetName(), URI: in.GetUri(), Digest: in.GetDigest()})
	}
	return out, nil
}

func files(in []*intoto.ResourceDescriptor) []File {
	var out []File
	for _, d := range in {
		out = append(out, File{Name: d.GetName(), MediaType: d.GetMediaType(), SHA256: d.GetDigest()["sha256"]})
	}
	return out
}

package recipe

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// field is one key of a struct, as its tags tell.
type field struct {
	typ        reflect.Type
	required   bool // no omitempty, and not optional by its parent
	constraint constraint
}

// fieldsOf gives the keys of a struct type, with those of inlined structs.
func fieldsOf(t reflect.Type) map[string]field {
	fields := map[string]field{}
	for i := range t.NumField() {
		sf := t.Field(i)
		name, options, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		switch {
		case name == "-" || !sf.IsExported():
		case strings.Contains(options, "inline"):
			for k, f := range fieldsOf(sf.Type) {
				fields[k] = f
			}
		default:
			if name == "" {
				name = strings.ToLower(sf.Name)
			}
			fields[name] = field{
				typ:        sf.Type,
				required:   !strings.Contains(options, "omitempty"),
				constraint: parseConstraint(sf.Tag.Get("jsonschema")),
			}
		}
	}
	return fields
}

// parseConstraint reads the part of a jsonschema tag (invopop/jsonschema) that
// the decoder checks too.
func parseConstraint(tag string) constraint {
	var c constraint
	for part := range strings.SplitSeq(tag, ",") {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "pattern":
			c.pattern = regexp.MustCompile(value)
		case "enum":
			c.enum = append(c.enum, value)
		case "minimum":
			c.min = parseBound(value)
		case "maximum":
			c.max = parseBound(value)
		case "minItems":
			c.minItems, _ = strconv.Atoi(value)
		}
	}
	return c
}

func parseBound(s string) *int64 {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil
	}
	return &v
}

package mesos

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

//lint:file-ignore ST1005 the texts are those of the real daemon

// parseResources reads name(role):value;... or the JSON form. Scalars become float64, ranges and
// sets keep their text.
func parseResources(s string) (map[string]any, error) {
	out := map[string]any{}
	if strings.HasPrefix(strings.TrimSpace(s), "[") {
		var list []struct {
			Name   string `json:"name"`
			Scalar *struct {
				Value float64 `json:"value"`
			} `json:"scalar"`
		}
		if err := json.Unmarshal([]byte(s), &list); err != nil {
			return nil, fmt.Errorf("Failed to parse resources '%s': %w", s, err)
		}
		for _, r := range list {
			if r.Name == "" {
				return nil, fmt.Errorf("Failed to parse resources '%s': a resource has no name", s)
			}
			if r.Scalar != nil {
				out[r.Name] = r.Scalar.Value
			}
		}
		return out, nil
	}
	for _, token := range strings.FieldsFunc(s, func(r rune) bool { return r == ';' }) {
		pair := strings.Split(token, ":")
		if len(pair) != 2 || strings.TrimSpace(pair[0]) == "" || strings.TrimSpace(pair[1]) == "" {
			return nil, fmt.Errorf("Bad value for resources, missing or extra ':' in %s", token)
		}
		name := strings.TrimSpace(pair[0])
		if open := strings.IndexByte(name, '('); open >= 0 {
			if !strings.HasSuffix(name, ")") || open == 0 {
				return nil, fmt.Errorf("Bad value for resources, mismatched parentheses in %s", token)
			}
			name = name[:open]
		}
		v, err := parseValue(strings.TrimSpace(pair[1]))
		if err != nil {
			return nil, fmt.Errorf("Failed to parse resource %s value %s error %w", name, pair[1], err)
		}
		if text, ok := v.(string); ok && text[0] != '[' && text[0] != '{' {
			return nil, fmt.Errorf("Bad type for resource %s value %s type TEXT", name, text)
		}
		if f, ok := v.(float64); ok && f < 0 {
			return nil, fmt.Errorf("Invalid scalar resource: value < 0 in %s", token)
		}
		out[name] = v
	}
	return out, nil
}

// parseAttributes reads key:value;...; a value may hold further colons.
func parseAttributes(s string) (map[string]any, error) {
	out := map[string]any{}
	for _, token := range strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == '\n' }) {
		key, value, ok := strings.Cut(token, ":")
		if !ok || key == "" || value == "" {
			return nil, fmt.Errorf("Invalid attribute key:value pair '%s'", token)
		}
		v, err := parseValue(value)
		if err != nil {
			return nil, fmt.Errorf("Failed to parse attribute %s text %s error %w", key, value, err)
		}
		if text, ok := v.(string); ok && text[0] == '{' {
			return nil, fmt.Errorf("Bad type for attribute %s text %s type SET", key, value)
		}
		out[key] = v
	}
	return out, nil
}

var (
	rangesForm = regexp.MustCompile(`^\[ *[0-9]+ *- *[0-9]+ *(, *[0-9]+ *- *[0-9]+ *)*\]$`)
	textForm   = regexp.MustCompile(`^[a-zA-Z0-9_/.:,=@+ -]+$`)
	rangeForm  = regexp.MustCompile(`([0-9]+) *- *([0-9]+)`)
)

// parseValue tells scalars, [a-b,c-d] ranges, {a,b} sets and text apart.
func parseValue(s string) (any, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
		return f, nil
	}
	switch s[0] {
	case '[':
		if !rangesForm.MatchString(s) {
			return nil, fmt.Errorf("Expecting one or more \"ranges\"")
		}
		for _, m := range rangeForm.FindAllStringSubmatch(s, -1) {
			lo, err1 := strconv.ParseUint(m[1], 10, 64)
			hi, err2 := strconv.ParseUint(m[2], 10, 64)
			if err1 != nil || err2 != nil || lo > hi {
				return nil, fmt.Errorf("Expecting non-empty range, got %s", m[0])
			}
		}
		return s, nil
	case '{':
		if !strings.HasSuffix(s, "}") {
			return nil, fmt.Errorf("Expecting a \"set\" that ends with '}'")
		}
		return s, nil
	}
	if !textForm.MatchString(s) {
		return nil, fmt.Errorf("Unexpected '%s' found", s)
	}
	return s, nil
}

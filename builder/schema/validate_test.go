package schema

import (
	"encoding/json"
	"fmt"
	"strings"
)

// node is as much of a JSON schema as the inventory's uses.
type node struct {
	Ref                  string `json:"$ref"`
	Properties           map[string]*node
	Required             []string
	Items                *node
	AdditionalProperties json.RawMessage
	Defs                 map[string]*node `json:"$defs"`
}

// complaints says what an editor would mark in v.
func (n *node) complaints(at string, v any, defs map[string]*node) []string {
	if name, ok := strings.CutPrefix(n.Ref, "#/$defs/"); ok {
		n = defs[name]
	}
	var out []string
	say := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if at != "" {
			text = at + ": " + text
		}
		out = append(out, text)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, key := range n.Required {
			if _, ok := v[key]; !ok {
				say("%s is missing", key)
			}
		}
		for key, value := range v {
			below := n.Properties[key]
			if below == nil && string(n.AdditionalProperties) == "false" {
				say("%s is not known", key)
			}
			if below != nil {
				out = append(out, below.complaints(strings.TrimPrefix(at+"."+key, "."), value, defs)...)
			}
		}
	case []any:
		if n.Items == nil {
			say("is no list")
			return out
		}
		for i, value := range v {
			out = append(out, n.Items.complaints(fmt.Sprintf("%s[%d]", at, i), value, defs)...)
		}
	}
	return out
}

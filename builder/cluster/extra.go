package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// extra checks the settings that are laid over what forge renders.
func (c *checker) extra() {
	c.problems = append(c.problems, c.inv.CheckExtra(c.inv.Facts())...)
}

// CheckExtra checks all extra settings against what is known of the cluster.
func (inv *Inventory) CheckExtra(f *Facts) []Problem {
	var problems []Problem
	for _, file := range slices.Sorted(maps.Keys(inv.Extra)) {
		settings := inv.Extra[file]
		for _, key := range slices.Sorted(maps.Keys(settings)) {
			at := join(join("extra", file), key)
			if !settingKey.MatchString(strings.TrimPrefix(key, "?")) { // ?FLAG is a flag without a value
				problems = append(problems, Problem{Path: at, Rule: "name", Message: fmt.Sprintf("%q can't be a key in extra.%s", key, file), Hint: "use letters, digits, _ . and -"})
			}
			for _, found := range f.CheckSetting(Setting{file, key, settings[key]}) {
				problems = append(problems, Problem{Path: at, Rule: found.Rule, Message: fmt.Sprintf("extra.%s: %s", file, found.Message), Hint: found.Hint})
			}
		}
	}
	return problems
}

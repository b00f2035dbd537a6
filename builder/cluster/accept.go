package cluster

import (
	"fmt"
	"strings"
)

// acceptance checks what the inventory accepts.
func (c *checker) acceptance() {
	seen := map[string]bool{}
	for i, a := range c.inv.Accept {
		at := fmt.Sprintf("accept[%d]", i)
		rule, known := FindRule(a.Rule)
		meant := ""
		if !strings.HasPrefix(a.Rule, "F") { // F28 resembles F08 and F26 alike
			meant = DidYouMean(a.Rule, ruleIDs())
		}
		switch {
		case a.Rule == "":
			c.add(at, "accept", "an acceptance names no rule", `write - {rule: F25, reason: "..."}`)
		case !known:
			c.add(at+".rule", "accept", fmt.Sprintf("no rule is called %q%s", a.Rule, meant), "forge lint --rules lists them")
		case rule.Firm:
			c.add(at+".rule", "accept", fmt.Sprintf("rule %s (%s) can't be accepted: nothing would be left to go on with", a.Rule, rule.Title), "mend what it finds")
		case seen[a.Rule]:
			c.add(at+".rule", "accept", fmt.Sprintf("rule %s is accepted twice", a.Rule), "keep one of both")
		}
		if a.Rule != "" && strings.TrimSpace(a.Reason) == "" {
			c.add(at, "accept", fmt.Sprintf("rule %s is accepted without a reason", a.Rule), fmt.Sprintf("say why it is right here: - {rule: %s, reason: \"...\"}", a.Rule))
		}
		seen[a.Rule] = true
	}
}

// Judge sets Accepted in those problems whose rule the inventory accepts, and returns them all.
func (inv *Inventory) Judge(problems []Problem) []Problem {
	reasons := map[string]string{}
	for _, a := range inv.Accept {
		if rule, ok := FindRule(a.Rule); ok && !rule.Firm {
			reasons[a.Rule] = strings.TrimSpace(a.Reason)
		}
	}
	for i, p := range problems {
		if !p.final {
			problems[i].Accepted = reasons[p.Rule]
		}
	}
	return problems
}

// UnusedAcceptances tells of acceptances that none of the problems needs. Only who has looked everywhere
// can know: an acceptance of F25 is needed by a stack's versions.
func (inv *Inventory) UnusedAcceptances(problems []Problem) []Problem {
	used := map[string]bool{}
	for _, p := range problems {
		if p.Accepted != "" {
			used[p.Rule] = true
		}
	}
	var unused []Problem
	for i, a := range inv.Accept {
		if !used[a.Rule] {
			unused = append(unused, Problem{Path: fmt.Sprintf("accept[%d]", i), Rule: "unused-acceptance",
				Message: fmt.Sprintf("nothing breaks the rule %s, which is accepted", a.Rule), Hint: "remove it, or it hides the next mistake"})
		}
	}
	return unused
}

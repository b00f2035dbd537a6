package cluster

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/rules.md")

// page is docs/rules.md: the table of rules as people read it.
func page() string {
	var b strings.Builder
	b.WriteString(`# Rules

What ` + "`forge lint`" + ` checks, and every command that reads an inventory. ` + "`forge lint --rules`" + ` prints the same table; a test holds
this page to it (` + "`go test ./builder/cluster -run RulesPage -update`" + `).

F01 to F27 are the mistakes that the cluster's hand-written installation guide leads to. A rule that is broken on purpose is
accepted in cluster.yaml, by its name and with a reason; it is told then, and is no error:

    accept:
      - {rule: F25, reason: "tried with this pair for a year"}

Firm rules can't be accepted: what breaks them leaves nothing to go on with.

| Rule | What is wrong | What is right | Where it looks |
|---|---|---|---|
`)
	for _, r := range Rules() {
		id := r.ID
		if r.Firm {
			id += " (firm)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", id, r.Title, r.Right, r.Where)
	}
	return b.String()
}

func TestRulesPage(t *testing.T) {
	const file = "../../docs/rules.md"
	if *update {
		if err := os.WriteFile(file, []byte(page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != page() {
		t.Errorf("docs/rules.md is not what the table says (%v): go test ./builder/cluster -run RulesPage -update", err)
	}
}

// TestRulebook: F01 to F27 come first, in their order, every rule is complete, none is there twice.
func TestRulebook(t *testing.T) {
	seen := map[string]bool{}
	name := regexp.MustCompile(`^(F[0-9]{2}|[a-z]+(-[a-z]+)*)$`)
	for i, r := range Rules() {
		if i < 27 && r.ID != fmt.Sprintf("F%02d", i+1) {
			t.Errorf("rule %d is %s", i+1, r.ID)
		}
		if !name.MatchString(r.ID) || seen[r.ID] || r.Title == "" || r.Right == "" || r.Where == "" || strings.Contains(r.Title+r.Right+r.Where, "|") {
			t.Errorf("rule %+v", r)
		}
		if i < 27 && r.Firm {
			t.Errorf("%s can't be accepted", r.ID)
		}
		seen[r.ID] = true
	}
}

package lint

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSureWords(t *testing.T) {
	for expr, want := range map[string][]string{
		`\b(?:wget|curl|tar\s+-?x)`:         {"wget", "curl", "tar"},
		`(?i)\bMesos[_-]([0-9]+)[^/]*\.deb`: {"mesos"},
		`^\s*to:\s+/\S*/archives/(\S+)`:     {"/archives/"},
		`(?:ab)*c?`:                         nil,
		`(?:ab|c*)d`:                        {"d"},
		`(?:abc){2}|[xy]z`:                  {"abc", "z"},
	} {
		if diff := cmp.Diff(want, compile(expr).words); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expr, diff)
		}
	}
}

// Each rule's own words are in what it matches: a line with none of them is not looked at.
func TestEveryPatternHasWords(t *testing.T) {
	for _, s := range lineSights {
		if len(s.re.words) == 0 {
			t.Errorf("%v is looked for in every line", s.re.re)
		}
	}
	for _, r := range lineRules {
		if len(r.re.words) == 0 {
			t.Errorf("%v is looked for in every line", r.re.re)
		}
	}
	if line := "see /etc/hadoop/conf.name"; !compile(`/etc/hadoop/(conf\.[a-z]+)`).may(strings.ToLower(line)) {
		t.Errorf("%q was passed over", line)
	}
}

package lint

import (
	"regexp"
	"strings"
)

var (
	// echo VALUE | sudo tee FILE, echo VALUE | dd of=FILE, echo VALUE > FILE, and the same with printf.
	echoInto = regexp.MustCompile(`\b(?:echo|printf)\s+(.+?)\s*(?:\|\s*(?:sudo\s+)?(?:tee\s+(?:-a\s+)?|dd\s+of=)|>{1,2}\s*)(/[^\s;&|"']+)`)
	// cat > FILE <<EOF, tee FILE <<'EOF', cat <<EOF | sudo tee FILE.
	hereDoc  = regexp.MustCompile(`<<-?\s*["']?([A-Za-z_]+)["']?`)
	hereInto = regexp.MustCompile(`(?:\btee\s+(?:-a\s+)?|>{1,2}\s*)(/[^\s;&|"'<]+)`)
)

// maxWrites bounds how many files one script is seen to write.
const maxWrites = 1000

// writes returns what a script writes into files, each as a text of its own that keeps its place in the script.
func (t text) writes() []text {
	var all []text
	var doc *text // the here document that is open
	var content strings.Builder
	end := ""
	t.each(func(at place, line string) {
		if len(all) >= maxWrites {
			return
		}
		if doc != nil {
			if strings.TrimSpace(line) == end {
				doc.content = content.String()
				all, doc = append(all, *doc), nil
				content.Reset()
				return
			}
			content.WriteString(line + "\n")
			return
		}
		command := code(line)
		if m := hereDoc.FindStringSubmatch(command); m != nil {
			if to := hereInto.FindStringSubmatch(command); to != nil {
				end = m[1]
				at.line++
				doc = &text{at: at, node: t.node, path: to[1], kind: kindOf(to[1]), depth: t.depth + 1}
			}
			return
		}
		for _, m := range echoInto.FindAllStringSubmatch(command, -1) {
			all = append(all, text{at: at, node: t.node, path: m[2], kind: kindOf(m[2]), content: quotesOff.Replace(m[1]) + "\n", depth: t.depth + 1})
		}
	})
	return all
}

// code is a line of a shell, or of YAML, without its comment.
func code(line string) string {
	if strings.HasPrefix(strings.TrimSpace(line), "#") {
		return ""
	}
	if i := strings.Index(line, " #"); i >= 0 {
		return line[:i]
	}
	return line
}

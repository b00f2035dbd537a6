package lint

import (
	"strings"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/fit"
)

// versions: F25, and whatever else was made for other versions.
func (l *linter) versions() {
	for _, software := range []struct {
		name string
		saw  what
	}{{"marathon", sawMarathon}, {"hadoop-mesos", sawHadoopMesos}, {"spark", sawSparkVersion}} {
		s, ok := l.first(software.saw, "")
		if !ok {
			continue
		}
		var messages, hints []string
		for _, other := range []struct {
			name string
			saw  what
		}{{"mesos", sawMesosDeb}, {"cdh", sawCDH}} {
			if o, ok := l.first(other.saw, ""); ok {
				if message, hint := fit.Unfit(software.name, s.value, other.name, o.value); message != "" {
					messages, hints = append(messages, message), append(hints, hint+"; or accept F25 with a reason")
				}
			}
		}
		if len(messages) > 0 {
			l.add(s.at, cluster.Finding{Rule: "F25", Message: strings.Join(messages, "; "), Hint: hints[0]})
		}
	}
}

package cluster

import (
	"regexp"
	"strings"
	"testing"
)

// commented is a setting of the example that is commented out.
var commented = regexp.MustCompile(`^( *)# ([a-z_]+: .*)$`)

// TestExampleCommentsWork: each line of the example that is commented out is right as it stands.
func TestExampleCommentsWork(t *testing.T) {
	lines := strings.Split(example(t), "\n")
	tried := map[string]bool{}
	for i, line := range lines {
		m := commented.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(m[2], "yaml-language-server") {
			continue
		}
		key, _, _ := strings.Cut(m[2], ":")
		if key == "extra" { // goes with the line that follows it
			continue
		}
		text := make([]string, 0, len(lines))
		for j, other := range lines {
			switch bare := strings.TrimSpace(other); {
			case i == j:
				text = append(text, m[1]+m[2])
			case key == "ha" && (strings.HasPrefix(bare, "namenode:") || strings.HasPrefix(bare, "secondary:")):
			case key == "nodes" || !strings.HasPrefix(bare, key+":") || m[1] != other[:len(other)-len(strings.TrimLeft(other, " "))]:
				text = append(text, other)
			}
		}
		tried[key] = true
		if _, err := Decode("cluster.yaml", strings.NewReader(strings.Join(text, "\n"))); err != nil {
			t.Errorf("line %d: %s\n%v", i+1, line, err)
		}
	}
	for _, key := range []string{"disks", "nfs", "ha", "mesos", "marathon", "spark", "azkaban", "accept", "heap", "data_dirs", "name_dirs", "nodes"} {
		if !tried[key] {
			t.Errorf("no comment shows %s", key)
		}
	}
	extra := strings.Replace(strings.Replace(example(t), "# extra: ", "extra: ", 1), "#   hdfs-site", "  hdfs-site", 1)
	if inv, err := Decode("cluster.yaml", strings.NewReader(extra)); err != nil || len(inv.Extra) != 1 {
		t.Errorf("extra: %v", err)
	}
}

package lint

import (
	"path"
	"regexp"
	"strings"

	"github.com/mesos-forge/forge/builder/cluster"
)

// kind says how a text is read.
type kind int

const (
	plain      kind = iota // lines, no more
	script                 // commands of a shell
	yamlRecipe             // YAML of a stack
	flag                   // one value, the setting that the file is named after
	xmlFile                // Hadoop's <configuration>
	keyValue               // key=value or key value
	env                    // NAME=value, in sh
)

// text is a file, or what a script writes into one.
type text struct {
	at      place  // of its first line
	node    string // folder of a hand-made node
	path    string // on a node: "/etc/mesos/zk"; "": it is no file of a node
	kind    kind
	content string
	depth   int // of scripts that write scripts
}

// maxScriptDepth bounds how far scripts are followed that write scripts.
const maxScriptDepth = 3

// flagFile is a file of a folder that Mesos or Marathon reads flags from. Folders in wrong spelling are meant, too.
var flagFile = regexp.MustCompile(`^/etc/(mesos|mesos-master|mesos-slave|marathon/conf)/([^/]+)$`)

// kindOf says how a file of a node is read, by its path.
func kindOf(p string) kind {
	lower := strings.ToLower(p)
	base := path.Base(lower)
	switch {
	case flagFile.MatchString(lower):
		return flag
	case strings.HasSuffix(base, "-site.xml"):
		return xmlFile
	case base == "zoo.cfg" || base == "spark-defaults.conf" || strings.HasSuffix(base, ".properties"):
		return keyValue
	case strings.HasPrefix(lower, "/etc/default/") || strings.HasSuffix(base, "-env.sh"):
		return env
	case strings.HasSuffix(base, ".sh") || strings.HasPrefix(lower, "/etc/init.d/"):
		return script
	}
	return plain
}

// scan checks one text and gathers what is to be seen in it.
func (l *linter) scan(t text) {
	if t.path != "" {
		l.nodePath(t)
	}
	for _, s := range t.settings() {
		l.setting(t, s)
	}
	if t.kind == xmlFile {
		l.xml(t)
	}
	if t.kind == script || t.kind == yamlRecipe || t.kind == env || t.kind == plain {
		l.lines(t)
	}
	if t.kind == script && t.depth < maxScriptDepth {
		for _, written := range t.writes() {
			l.scan(written)
		}
	}
}

// nodePath checks where a file lies.
func (l *linter) nodePath(t text) {
	if lower, changed := cluster.LowerNames(t.path); changed {
		l.add(t.at, cluster.Finding{Rule: "F01", Message: t.path + " has capital letters; paths, packages and hosts are lower case", Hint: "write " + lower})
	}
	lower := strings.ToLower(t.path)
	switch base := path.Base(lower); {
	case base == "myid":
		l.see(sawMyID, strings.TrimSpace(t.content), t.at, t.node)
	case base == "hosts" && path.Dir(lower) == "/etc":
		l.see(sawHosts, t.content, t.at, t.node)
	case lower == "/etc/hostname":
		l.see(sawHostname, strings.ToLower(strings.TrimSpace(t.content)), t.at, t.node)
	case path.Dir(lower) == "/etc/init" && strings.HasSuffix(base, ".override"):
		l.see(sawService, strings.TrimSuffix(base, ".override"), t.at, t.node)
	case lower == "/etc/selinux/config" || strings.HasPrefix(lower, "/etc/sysconfig/"):
		l.add(t.at, cluster.Finding{Rule: "F08", Message: t.path + " belongs to Red Hat's distributions; Debian and Ubuntu don't read it", Hint: "remove it"})
	case base == "core-site.xml" || base == "hdfs-site.xml":
		l.see(sawSite, base, t.at, t.node)
	}
	for _, s := range lineSights {
		if m := s.re.re.FindStringSubmatch(t.path); s.what == sawConfDir && m != nil {
			l.see(sawConfDir, m[1], t.at, t.node)
		}
	}
}

// setting checks one setting of a text.
func (l *linter) setting(t text, s placed) {
	if strings.Contains(s.Value, "{{") { // a template's; what it renders to is checked on each node
		return
	}
	facts := l.facts
	if l.overwritten != nil && l.overwritten(t.path) {
		facts = &cluster.Facts{Mesos: facts.Mesos}
	}
	for _, f := range facts.CheckSetting(s.Setting) {
		l.add(s.at, f)
	}
	switch s.Key {
	case "mapred.job.tracker":
		l.see(sawJobTracker, s.Value, s.at, t.node)
	case "mapred.mesos.executor.uri":
		l.see(sawExecutorURI, s.Value, s.at, t.node)
	case "SPARK_EXECUTOR_URI", "spark.executor.uri", "spark.mesos.executor.home":
		l.see(sawSparkSettings, s.Key, s.at, t.node)
	}
	if len(l.settings) < maxSights {
		l.settings = append(l.settings, seenSetting{s, t.node})
	}
}

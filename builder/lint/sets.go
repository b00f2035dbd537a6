package lint

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/cluster"
)

// setRules look at all sightings together.
var setRules = []func(*linter){
	(*linter).myids, (*linter).neverInstalled, (*linter).eggs, (*linter).confDirs, (*linter).zookeeperNames,
	(*linter).startedEarly, (*linter).mr1Folder, (*linter).archives, (*linter).jobTrackers, (*linter).versions,
}

func (l *linter) sets() {
	for _, rule := range setRules {
		rule(l)
	}
}

// byHandSets are rules that need all of a machine, which only a hand-made node shows.
var byHandSets = []func(*linter){(*linter).formats, (*linter).siteFiles, (*linter).sparkSettings}

// formats: F14. With HA, or with one master, somebody has to format the one NameNode.
func (l *linter) formats() {
	ha := slices.ContainsFunc(l.settings, func(s seenSetting) bool { return strings.HasPrefix(s.Key, "dfs.ha.namenodes.") })
	if ha || l.facts.Masters == 1 {
		return
	}
	for _, s := range l.of(sawFormat) {
		l.add(s.at, cluster.Finding{Rule: "F14", Message: fmt.Sprintf("%q formats a NameNode wherever it is typed: each of the masters gets a file system of its own, and nothing elects between them", s.value),
			Hint: "one NameNode, or hdfs.ha; forge-node formats it once"})
	}
}

// myids: F02. An image gives its myid to every clone, a script to every node it runs on.
func (l *linter) myids() {
	nodes := map[string]map[string]bool{} // by myid; one node may have it in two places, one a link to the other
	for _, s := range l.of(sawMyID) {
		if nodes[s.value] == nil {
			nodes[s.value] = map[string]bool{}
		}
		nodes[s.value][s.node] = true
	}
	for _, s := range l.of(sawMyID) {
		switch {
		case s.value == "" || strings.Contains(s.value, "{{") || strings.Contains(s.value, "$"):
		case s.node == "" || len(nodes[s.value]) > 1 || l.outsideEnsemble(s.node):
			l.add(s.at, cluster.Finding{Rule: "F02", Message: fmt.Sprintf("myid is %s on every node that is made of this: a clone would be the same server again", s.value),
				Hint: "leave it out: forge-node writes 1, 2, 3 on the nodes of the ensemble, none elsewhere"})
		}
	}
}

// outsideEnsemble says whether a hand-made node calls itself by a name that the ensemble does not have.
func (l *linter) outsideEnsemble(node string) bool {
	ensemble := ensembleOf(l)
	for _, s := range l.of(sawHostname) {
		address, known := l.facts.Nodes[s.value]
		if s.node == node && known && len(ensemble) > 0 {
			return !slices.Contains(ensemble, address) && !slices.Contains(ensemble, s.value)
		}
	}
	return false
}

// neverInstalled: F03.
func (l *linter) neverInstalled() {
	if !l.byHand {
		return // recipes name components, which are checked; an inventory's sections are, too
	}
	for _, name := range []string{"marathon", "azkaban"} {
		seen, named := l.first(sawName, name)
		installed := slices.ContainsFunc(l.of(sawInstall), func(s sighting) bool { return strings.Contains(s.value, name) })
		if named && !installed {
			l.add(seen.at, cluster.Finding{Rule: "F03", Message: seen.value + " is named, and nothing installs it", Hint: "both are components: add them to the stack's roles"})
		}
	}
}

// eggs: F04.
func (l *linter) eggs() {
	deb, ok := l.first(sawMesosDeb, "")
	if !ok {
		return
	}
	for _, egg := range l.of(sawMesosEgg) {
		if egg.value != deb.value {
			l.add(egg.at, cluster.Finding{Rule: "F04", Message: fmt.Sprintf("the egg of Mesos is %s, the package %s (%s:%d)", egg.value, deb.value, deb.at.file, deb.at.line),
				Hint: "take the egg of " + deb.value})
		}
	}
}

// confDirs: F12. The packages' own are conf.empty, conf.dist and conf.pseudo.
func (l *linter) confDirs() {
	set := map[string]bool{}
	for _, s := range l.of(sawAlternative) {
		set[path.Base(s.value)] = true
	}
	for _, s := range l.of(sawConfDir) {
		if set[s.value] || slices.Contains([]string{"conf.empty", "conf.dist", "conf.pseudo"}, s.value) {
			continue
		}
		l.add(s.at, cluster.Finding{Rule: "F12", Message: fmt.Sprintf("/etc/hadoop/%s is never made the active configuration: Hadoop reads /etc/hadoop/conf", s.value),
			Hint: "use one name, and update-alternatives --set hadoop-conf /etc/hadoop/" + s.value})
	}
}

// zookeeperNames: F15.
func (l *linter) zookeeperNames() {
	var server []sighting
	plain := false
	for _, s := range l.of(sawService) {
		switch strings.ToLower(s.value) {
		case "zookeeper-server":
			server = append(server, s)
		case "zookeeper":
			plain = true
		}
	}
	for _, s := range l.of(sawInstall) {
		plain = plain || s.value == "zookeeperd"
	}
	if !plain {
		return
	}
	for _, s := range server {
		l.add(s.at, cluster.Finding{Rule: "F15", Message: "the service is called zookeeper-server here and zookeeper elsewhere: they belong to two packages",
			Hint: "write zookeeper, the service of Debian's and Ubuntu's zookeeperd"})
	}
}

// startedEarly: F16.
func (l *linter) startedEarly() {
	for _, s := range l.of(sawHDFSPackage) {
		if slices.ContainsFunc(l.of(sawPolicy), func(p sighting) bool { return p.at.file == s.at.file && p.at.line < s.at.line }) {
			continue
		}
		l.add(s.at, cluster.Finding{Rule: "F16", Message: s.value + " starts while it is installed, before it is configured and formatted",
			Hint: "keep it from starting with policy-rc.d; format once, then start"})
	}
}

// mr1Folder: F17.
func (l *linter) mr1Folder() {
	for _, s := range l.of(sawInstall) {
		if strings.Contains(s.value, "hadoop-0.20-mapreduce") && !strings.Contains(s.value, "/usr/lib/") {
			return
		}
	}
	used := l.of(sawMR1Dir)
	if len(used) > 0 {
		l.add(used[0].at, cluster.Finding{Rule: "F17", Message: used[0].value + " is used, and its package is never installed", Hint: "install hadoop-0.20-mapreduce-jobtracker"})
	}
}

// archives: F19 and F20.
func (l *linter) archives() {
	for _, r := range l.of(sawRemove) {
		for _, p := range l.of(sawPack) {
			if p.value == r.value && p.at.file == r.at.file && p.at.line > r.at.line {
				l.add(r.at, cluster.Finding{Rule: "F19", Message: fmt.Sprintf("%s is deleted here and made only in line %d", r.value, p.at.line), Hint: "delete the archive that was unpacked, if any"})
			}
		}
	}
	for _, w := range []what{sawPack, sawUpload} {
		for _, s := range l.of(w) {
			for _, f := range l.facts.ExecutorName(s.value) {
				l.add(s.at, f)
			}
		}
	}
	up := l.of(sawUpload)
	for _, u := range up {
		if made := l.of(sawPack); len(made) > 0 && !slices.ContainsFunc(made, func(s sighting) bool { return s.value == u.value }) {
			l.add(u.at, cluster.Finding{Rule: "F20", Message: fmt.Sprintf("%s is uploaded; %s is made (%s:%d)", u.value, made[0].value, made[0].at.file, made[0].at.line), Hint: "use one name for both"})
		}
	}
	l.executorURIs(up)
}

// executorURIs: F20 once more, for settings whose archive is uploaded under another name.
func (l *linter) executorURIs(up []sighting) {
	for _, uri := range l.of(sawExecutorURI) {
		if name := path.Base(uri.value); len(up) > 0 && !slices.ContainsFunc(up, func(s sighting) bool { return s.value == name }) {
			l.add(uri.at, cluster.Finding{Rule: "F20", Message: fmt.Sprintf("the executor URI names %s; %s is uploaded (%s:%d)", name, up[0].value, up[0].at.file, up[0].at.line), Hint: "use one name for both"})
		}
	}
}

// jobTrackers: F24.
func (l *linter) jobTrackers() {
	all := l.of(sawJobTracker)
	for i, s := range all {
		if i > 0 && s.value != all[0].value {
			l.add(s.at, cluster.Finding{Rule: "F24", Message: fmt.Sprintf("mapred.job.tracker is %s here and %s in %s:%d: two JobTrackers share no jobs", s.value, all[0].value, all[0].at.file, all[0].at.line),
				Hint: "one active JobTracker: write " + all[0].value + " everywhere"})
		}
	}
}

// siteFiles: F13.
func (l *linter) siteFiles() {
	installed := l.of(sawHDFSPackage)
	if len(installed) == 0 {
		return
	}
	var missing, keys []string
	for _, need := range []struct {
		file string
		keys []string
	}{{"core-site.xml", []string{"fs.default.name", "fs.defaultFS"}}, {"hdfs-site.xml", []string{"dfs.name.dir", "dfs.namenode.name.dir"}}} {
		at, ok := l.first(sawSite, need.file)
		has := slices.ContainsFunc(l.settings, func(s seenSetting) bool { return slices.Contains(need.keys, s.Key) })
		switch {
		case !ok:
			missing, keys = append(missing, need.file), append(keys, strings.Join(need.keys, " or "))
		case !has:
			l.add(at.at, cluster.Finding{Rule: "F13", Message: fmt.Sprintf("%s has no %s", need.file, strings.Join(need.keys, " or ")), Hint: "add it; forge renders it"})
		}
	}
	if len(missing) > 0 {
		l.add(installed[0].at, cluster.Finding{Rule: "F13", Message: fmt.Sprintf("%s is installed, and there is no %s", installed[0].value, strings.Join(missing, " and no ")),
			Hint: "give " + strings.Join(keys, ", and ") + "; forge renders them"})
	}
}

// sparkSettings: F27.
func (l *linter) sparkSettings() {
	spark, ok := l.first(sawSpark, "")
	if ok && len(l.of(sawSparkSettings)) == 0 {
		l.add(spark.at, cluster.Finding{Rule: "F27", Message: spark.value + " is fetched, and neither spark-env.sh nor an executor URI says where slaves find it",
			Hint: "write MESOS_NATIVE_JAVA_LIBRARY and SPARK_EXECUTOR_URI to spark-env.sh; forge renders it"})
	}
}

package cluster

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The checks of settingRules. Each gets a setting whose key is its own.

func registry(_ *Facts, s Setting) []Finding {
	if s.Value == "replicated_log" {
		return nil
	}
	return []Finding{{"F05", fmt.Sprintf("registry is %q: the masters forget their slaves when the leader changes", s.Value), "write replicated_log, or remove it: that is the default"}}
}

func quorum(f *Facts, s Setting) []Finding {
	n, err := strconv.Atoi(s.Value)
	want := f.Masters/2 + 1
	if err == nil && (f.Masters == 0 || n == want) {
		return nil
	}
	return []Finding{{"F05", fmt.Sprintf("quorum is %q; the majority of %d masters is %d", s.Value, f.Masters, want), fmt.Sprintf("write %d, or remove it: forge derives it", want)}}
}

// masterURL checks what leads to the leading Mesos master.
func masterURL(f *Facts, s Setting) []Finding {
	url := strings.TrimPrefix(s.Value, "mesos://")
	if _, _, err := net.SplitHostPort(url); err == nil && !strings.Contains(url, "/") && !strings.HasPrefix(url, "zk") {
		if f.Masters < 2 {
			return nil
		}
		return []Finding{{"zk-ensemble", fmt.Sprintf("%s names one master, %q, of %d: it need not be the leading one", s.Key, s.Value, f.Masters), "write " + f.zk()}}
	}
	found := ensembleURL(f, Setting{s.File, s.Key, url})
	if len(found) > 0 {
		return found
	}
	if u, err := ParseZKURL(url); err == nil && f.Znode != "" && u.Path != f.Znode {
		return []Finding{{"F06", fmt.Sprintf("%s looks below the znode %s, Mesos registers below %s", s.Key, u.Path, f.Znode), "write " + f.zk()}}
	}
	return nil
}

// ensembleURL checks a ZooKeeper URL and whose servers it names.
func ensembleURL(f *Facts, s Setting) []Finding {
	if found := zkURL(f, s.Value); len(found) > 0 {
		found[0].Message = s.Key + ": " + found[0].Message
		return found
	}
	u, err := ParseZKURL(s.Value)
	if err != nil {
		return nil
	}
	return f.servers(s.Key, u.Servers)
}

// servers compares a list of host:port with the ensemble.
func (f *Facts) servers(key string, servers []string) []Finding {
	if len(f.Ensemble) == 0 {
		return nil
	}
	var have []string
	for _, server := range servers {
		at := f.resolve(server)
		if host, _, err := net.SplitHostPort(at); err == nil && f.foreign(host) {
			return []Finding{{"F07", fmt.Sprintf("%s: the address %s is not in the inventory", key, host), "nodes: " + f.nodeList()}}
		}
		have = append(have, at)
	}
	want := slices.Clone(f.Ensemble)
	slices.Sort(have)
	slices.Sort(want)
	if slices.Equal(have, want) {
		return nil
	}
	return []Finding{{"zk-ensemble", fmt.Sprintf("%s names the servers %s; the ensemble is %s", key, strings.Join(servers, ","), strings.Join(f.Ensemble, ",")), "remove it: forge derives it"}}
}

func connectString(f *Facts, s Setting) []Finding {
	if strings.HasPrefix(s.Value, "zk:") {
		return []Finding{{"F22", fmt.Sprintf("%s is %q; HDFS takes host:port,host:port, without zk:// and path", s.Key, s.Value), "write " + or(strings.Join(f.Ensemble, ","), "host:2181,host:2181,host:2181")}}
	}
	servers, err := parseServers(s.Value)
	if err != nil {
		return []Finding{{"F22", fmt.Sprintf("%s: %v", s.Key, err), "write " + or(strings.Join(f.Ensemble, ","), "host:2181,host:2181,host:2181")}}
	}
	return f.servers(s.Key, servers)
}

func nodeAddress(f *Facts, s Setting) []Finding {
	if f.foreign(s.Value) {
		return []Finding{{"F07", fmt.Sprintf("%s is %s, an address that no node has", s.Key, s.Value), "nodes: " + f.nodeList()}}
	}
	return nil
}

func lasting(_ *Facts, s Setting) []Finding {
	for dir := range strings.SplitSeq(s.Value, ",") {
		dir = strings.TrimPrefix(strings.TrimSpace(dir), "file://")
		if dir == "/tmp" || strings.HasPrefix(dir, "/tmp/") {
			return []Finding{{"temporary", fmt.Sprintf("%s is %s: the data is gone after a reboot", s.Key, dir), "write a directory that lasts, such as one below /var/lib or /data"}}
		}
	}
	return nil
}

// authority returns HOST:PORT or the nameservice of an hdfs:// URL.
func authority(url string) string {
	rest, ok := strings.CutPrefix(url, "hdfs://")
	if !ok {
		return ""
	}
	a, _, _ := strings.Cut(rest, "/")
	return a
}

func defaultFS(f *Facts, s Setting) []Finding {
	a := authority(s.Value)
	switch {
	case strings.HasPrefix(s.Value, "file:") || strings.HasPrefix(s.Value, "${"):
		return nil
	case a == "":
		return []Finding{{"F23", fmt.Sprintf("%s is %q, which is no hdfs://HOST:PORT", s.Key, s.Value), "write " + or(f.DefaultFS, "hdfs://HOST:8020")}}
	}
	return f.fileSystem(s.Key, a)
}

// fileSystem compares the authority of a URL with the cluster's file system.
func (f *Facts) fileSystem(key, a string) []Finding {
	at := f.resolve(a)
	host, _, err := net.SplitHostPort(at)
	if err != nil {
		host = at
	}
	if f.foreign(host) {
		return []Finding{{"F07", fmt.Sprintf("%s: the address %s is not in the inventory", key, host), "nodes: " + f.nodeList()}}
	}
	want := authority(f.DefaultFS)
	if want == "" || at == want {
		return nil
	}
	return []Finding{{"F23", fmt.Sprintf("%s names the file system hdfs://%s; the cluster's is %s", key, a, f.DefaultFS), "write " + f.DefaultFS}}
}

func jobTracker(f *Facts, s Setting) []Finding {
	if s.Value == "local" {
		return nil
	}
	at := f.resolve(s.Value)
	host, _, err := net.SplitHostPort(at)
	if err != nil {
		return []Finding{{"F24", fmt.Sprintf("%s is %q, not host:port", s.Key, s.Value), "write " + or(f.JobTracker, "HOST:8021")}}
	}
	if f.foreign(host) {
		return []Finding{{"F07", fmt.Sprintf("%s: the address %s is not in the inventory", s.Key, host), "nodes: " + f.nodeList()}}
	}
	if f.JobTracker != "" && at != f.JobTracker {
		return []Finding{{"F24", fmt.Sprintf("%s is %s, the cluster's JobTracker is %s: two of them share no jobs", s.Key, s.Value, f.JobTracker), "remove it: mrv1.jobtracker names the one"}}
	}
	return nil
}

// executorName is the document's way to name an archive: hadoop-2.3.0-cdh5.1.2-mesos-0.20.tar.gz.
var executorName = regexp.MustCompile(`-mesos([-.])([0-9]+(?:\.[0-9]+)*)\.(?:tgz|tar\.gz|zip)$`)

// ExecutorName checks the name of an archive that says which Mesos it is for.
func (f *Facts) ExecutorName(name string) []Finding {
	m := executorName.FindStringSubmatchIndex(name)
	if m == nil {
		return nil
	}
	separator, version := name[m[2]:m[3]], name[m[4]:m[5]]
	right := version
	if f.Mesos != "" {
		right = f.Mesos
	}
	hint := "write " + name[:m[2]] + "-" + right + name[m[5]:]
	if f.Mesos != "" && version != f.Mesos && !strings.HasPrefix(f.Mesos, version+".") {
		return []Finding{{"F20", fmt.Sprintf("%s says Mesos %s; Mesos is %s", name, version, f.Mesos), hint}}
	}
	if separator == "." {
		return []Finding{{"F20", fmt.Sprintf("%s has a full stop before the version, where the archive that is built has a hyphen", name), hint}}
	}
	return nil
}

func executorURI(f *Facts, s Setting) []Finding {
	var found []Finding
	switch a := authority(s.Value); {
	case oneSlashWord.MatchString(s.Value):
		found = oneSlash(f, s.Value)
		if want := f.DefaultFS; want != "" {
			found[0].Hint = "write " + want + "/" + path.Base(s.Value)
		}
	case a != "":
		found = f.fileSystem(s.Key, a)
	}
	return append(found, f.ExecutorName(path.Base(s.Value))...)
}

func hdfsUser(_ *Facts, s Setting) []Finding {
	if user, _, _ := strings.Cut(s.Value, ","); user != "hadoop" && user != "root" {
		return nil
	}
	return []Finding{{"F10", fmt.Sprintf("%s is %q; HDFS and its directories belong to hdfs", s.Key, s.Value), "write hdfs, or remove it"}}
}

func haNameNodes(_ *Facts, s Setting) []Finding {
	if n := len(strings.Split(s.Value, ",")); n != 2 {
		return []Finding{{"ha-namenodes", fmt.Sprintf("%s lists %d; HA is exactly two NameNodes", s.Key, n), "write nn1,nn2"}}
	}
	return nil
}

func sharedEdits(_ *Facts, s Setting) []Finding {
	list, ok := strings.CutPrefix(s.Value, "qjournal://")
	if !ok {
		return nil
	}
	list, _, _ = strings.Cut(list, "/")
	n := len(strings.Split(list, ";"))
	if strings.Contains(list, ",") {
		return []Finding{{"ha-journalnodes", fmt.Sprintf("%s separates the JournalNodes by commas", s.Key), "write qjournal://h1:8485;h2:8485;h3:8485/NAME"}}
	}
	if n < 3 || n%2 == 0 {
		return []Finding{{"ha-journalnodes", fmt.Sprintf("%s names %d JournalNodes", s.Key, n), "name three or five"}}
	}
	return nil
}

// zooServer checks server.N of zoo.cfg: the N is the myid that forge derives.
func zooServer(f *Facts, s Setting) []Finding {
	host, _, _ := strings.Cut(s.Value, ":")
	id, err := strconv.Atoi(strings.TrimPrefix(s.Key, "server."))
	if f.foreign(host) {
		return []Finding{{"F07", fmt.Sprintf("%s: the address %s is not in the inventory", s.Key, host), "nodes: " + f.nodeList()}}
	}
	if _, isAddr := netip.ParseAddr(host); err != nil || isAddr != nil || len(f.Ensemble) == 0 {
		return nil
	}
	if id > len(f.Ensemble) || id < 1 || !strings.HasPrefix(f.Ensemble[id-1], host+":") {
		return []Finding{{"F02", fmt.Sprintf("%s is %s, which is not the ensemble's number %d", s.Key, host, id), "remove it: forge derives it from the order of the nodes"}}
	}
	return nil
}

package cluster

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Setting is one key of one configuration file, wherever it was written.
type Setting struct {
	File  string // as in extra: "hdfs-site", "mesos-master", "zoo.cfg"
	Key   string
	Value string
}

// settingRules say which check is for which key; keys that are plain words count only in the files named.
// Each flag of Mesos and Marathon may be a variable as well.
var settingRules = []struct {
	files string // space-separated; "": any
	keys  string // space-separated; path.Match
	check func(*Facts, Setting) []Finding
}{
	{"mesos-master", "registry", registry},
	{"mesos-master", "quorum", quorum},
	{"mesos mesos-master", "zk", masterURL},
	{"mesos-slave marathon", "master", masterURL},
	{"marathon", "zk", ensembleURL},
	{"", "mapred.mesos.master spark.master MESOS_ZK MESOS_MASTER MARATHON_MASTER", masterURL},
	{"", "MARATHON_ZK", ensembleURL},
	{"", "MESOS_REGISTRY", registry},
	{"", "MESOS_QUORUM", quorum},
	{"", "MESOS_IP MESOS_HOSTNAME MARATHON_HOSTNAME", nodeAddress},
	{"", "MESOS_WORK_DIR", lasting},
	{"mesos-master mesos-slave marathon", "ip hostname advertise_ip", nodeAddress},
	{"mesos-master mesos-slave", "work_dir", lasting},
	{"", "dfs.name.dir dfs.namenode.name.dir dfs.data.dir dfs.datanode.data.dir dfs.journalnode.edits.dir dataDir dataLogDir", lasting},
	{"", "fs.default.name fs.defaultFS", defaultFS},
	{"", "mapred.job.tracker", jobTracker},
	{"", "mapred.mesos.executor.uri spark.executor.uri SPARK_EXECUTOR_URI", executorURI},
	{"", "HDFS_*_USER HADOOP_NAMENODE_USER HADOOP_DATANODE_USER dfs.web.ugi dfs.datanode.user dfs.namenode.user", hdfsUser},
	{"", "dfs.ha.namenodes.*", haNameNodes},
	{"", "dfs.namenode.shared.edits.dir", sharedEdits},
	{"", "ha.zookeeper.quorum", connectString},
	{"zoo.cfg zoo zookeeper", "server.*", zooServer},
}

// CheckSetting checks one setting: its key, what the rules say of it, and what is wrong in any text.
func (f *Facts) CheckSetting(s Setting) []Finding {
	if l, bad := FindLookAlike(s.Key + s.Value); bad {
		hint := l.Hint()
		if right, ok := MendZKURL(s.Value); ok && strings.HasPrefix(strings.ToLower(s.Value), "zk:") {
			hint = "write " + right
		}
		return []Finding{{"F22", fmt.Sprintf("%s = %q holds the %s; values are ASCII only", s.Key, s.Value, l), hint}}
	}
	found := keySpelling(s)
	for _, r := range settingRules {
		if matches(r.files, s.File) && matches(r.keys, s.Key) {
			found = append(found, r.check(f, s)...)
		}
	}
	for _, t := range f.CheckText(s.Value) {
		if !slices.ContainsFunc(found, func(k Finding) bool { return k.Rule == t.Rule }) {
			found = append(found, Finding{t.Rule, s.Key + ": " + t.Message, t.Hint})
		}
	}
	return found
}

func matches(patterns, name string) bool {
	if patterns == "" {
		return true
	}
	for p := range strings.FieldsSeq(patterns) {
		if ok, _ := path.Match(p, name); ok {
			return true
		}
	}
	return false
}

// keySpelling finds keys that differ from one of the rules' by their case alone, and flags with capitals.
func keySpelling(s Setting) []Finding {
	flags := matches("mesos mesos-master mesos-slave marathon", s.File)
	if lower := strings.ToLower(s.Key); flags && lower != s.Key {
		return []Finding{{"F01", fmt.Sprintf("the flag %q has capital letters", s.Key), "write " + lower}}
	}
	for _, r := range settingRules {
		for k := range strings.FieldsSeq(r.keys) {
			if k != s.Key && strings.EqualFold(k, s.Key) && matches(r.files, s.File) && strings.Contains(k, ".") {
				return []Finding{{"F01", fmt.Sprintf("the key %q is known as %q: keys are told apart by case", s.Key, k), "write " + k}}
			}
		}
	}
	return nil
}

package cluster

import "slices"

// Rule is one thing that forge checks. F01 to F27 have the numbers of field guide section 10.
type Rule struct {
	ID    string `json:"id"`
	Title string `json:"title"` // what is wrong
	Right string `json:"right"` // what is right
	Where string `json:"where"` // where it looks
	// Firm rules can't be accepted: what breaks them leaves nothing to go on with.
	Firm bool `json:"firm,omitempty"`
}

// Where rules look.
const (
	everywhere  = "inventory, extra, recipes, overlays, templates, scripts, rendered files, hand-made nodes"
	inScripts   = "recipes, overlays, templates, scripts, hand-made nodes"
	inSettings  = "inventory, extra, overlays, scripts, rendered files, hand-made nodes"
	inInventory = "inventory"
)

var rulebook = []Rule{
	{ID: "F01", Title: "capital letters in a path, package, service or host", Right: "lower case", Where: everywhere},
	{ID: "F02", Title: "a myid in an image or on a node outside the ensemble", Right: "1, 2, 3 on the ensemble's nodes, written at first boot", Where: inSettings},
	{ID: "F03", Title: "software that is named and never installed", Right: "a component of the stack", Where: "inventory, hand-made nodes"},
	{ID: "F04", Title: "a Mesos egg of another version than the package", Right: "one version", Where: inScripts},
	{ID: "F05", Title: "registry=in_memory, or a quorum that is no majority", Right: "replicated_log with a work_dir; quorum = masters/2+1", Where: inSettings},
	{ID: "F06", Title: "two spellings of Mesos's znode, or a path that Mesos refuses", Right: "one path in lower case, /mesos, everywhere", Where: everywhere},
	{ID: "F07", Title: "an address that is not in the inventory or in none of its networks", Right: "an address of the cluster", Where: everywhere},
	{ID: "F08", Title: "chkconfig, setenforce or the service iptables on Debian or Ubuntu", Right: "nothing: they belong to another distribution", Where: inScripts},
	{ID: "F09", Title: "addusr, or a login called hadoop beside CDH's group", Right: "the system users of the packages", Where: inScripts},
	{ID: "F10", Title: "HDFS directories or daemons of the user hadoop", Right: "hdfs:hdfs; format as hdfs", Where: everywhere},
	{ID: "F11", Title: "a package repository of another release", Right: "the stack's release, pinned", Where: inScripts},
	{ID: "F12", Title: "a configuration folder beside /etc/hadoop/conf that is never made the active one", Right: "one name, and update-alternatives --set hadoop-conf", Where: inScripts},
	{ID: "F13", Title: "core-site.xml or hdfs-site.xml missing, or without a required key", Right: "both, with fs.default.name (or fs.defaultFS) and the name directories", Where: "rendered files, hand-made nodes"},
	{ID: "F14", Title: "more than one NameNode without HA, or a format by script", Right: "one NameNode, or hdfs.ha; formatted once, by forge-node", Where: "inventory, scripts, hand-made nodes"},
	{ID: "F15", Title: "zookeeper in one place, zookeeper-server in another", Right: "one package, one service name", Where: inScripts},
	{ID: "F16", Title: "a service that starts on installation, before its format", Right: "nothing starts before it is configured and formatted", Where: "scripts, hand-made nodes"},
	{ID: "F17", Title: "/usr/lib/hadoop-0.20-mapreduce used, its package never installed", Right: "the package is installed", Where: inScripts},
	{ID: "F18", Title: "settings of services in /etc/profile.d, which services don't read", Right: "/etc/default/SERVICE", Where: inScripts},
	{ID: "F19", Title: "an archive deleted that is yet to be built", Right: "the original is deleted, if anything", Where: "scripts, hand-made nodes"},
	{ID: "F20", Title: "an executor archive under two names, or named after another Mesos version", Right: "one name with the true version; upload name = executor URI", Where: inSettings},
	{ID: "F21", Title: "a Hadoop file that is no <configuration> of <property>", Right: "valid XML", Where: "overlays, templates, scripts, rendered files, hand-made nodes"},
	{ID: "F22", Title: "a ZooKeeper URL without zk://, or characters that only look like ASCII", Right: "zk://host:port,host:port/mesos in plain ASCII", Where: everywhere},
	{ID: "F23", Title: "hdfs:/ with one slash, or another file system than the cluster's", Right: "hdfs:// and the cluster's fs.default.name", Where: everywhere},
	{ID: "F24", Title: "more than one JobTracker", Right: "one active JobTracker, named the same everywhere", Where: inSettings},
	{ID: "F25", Title: "versions of Mesos, Marathon, CDH and hadoop-mesos that don't fit", Right: "a set that was made together", Where: "recipes, hand-made nodes"},
	{ID: "F26", Title: "Spark's source archive where a built one is meant", Right: "spark-VERSION-bin-HADOOP.tgz", Where: everywhere},
	{ID: "F27", Title: "Spark without an executor URI, spark-env.sh or executor home", Right: "spark-env.sh and spark.executor.uri are rendered", Where: "rendered files, hand-made nodes"},

	{ID: "accept", Title: "an acceptance without a reason, of an unknown rule, or twice", Right: "- {rule: F25, reason: \"...\"}", Where: inInventory, Firm: true},
	{ID: "unused-acceptance", Title: "an acceptance that nothing needs", Right: "remove it, or it hides the next mistake", Where: inInventory},
	{ID: "address", Title: "an address that no node can have", Right: "an address that the other nodes reach", Where: inInventory, Firm: true},
	{ID: "device", Title: "not a block device below /dev", Right: "/dev/vdb or /dev/disk/by-id/...", Where: inInventory, Firm: true},
	{ID: "directory", Title: "not a plain absolute directory, or one that belongs to the system", Right: "/data/1/dfs/dn", Where: "inventory, extra", Firm: true},
	{ID: "duplicate-address", Title: "one address twice", Right: "one address per node", Where: inInventory},
	{ID: "duplicate-disk", Title: "a mount point, device or label twice on one node", Right: "one of each per disk", Where: inInventory, Firm: true},
	{ID: "duplicate-name", Title: "one name twice", Right: "one name per node", Where: inInventory, Firm: true},
	{ID: "even-ensemble", Title: "an ensemble of even size", Right: "one, three or five servers", Where: inInventory},
	{ID: "ha-conflict", Title: "hdfs.ha together with settings of a single NameNode", Right: "one of both", Where: inInventory, Firm: true},
	{ID: "ha-journalnodes", Title: "JournalNodes that are fewer than three or even in number", Right: "three or five", Where: "inventory, extra"},
	{ID: "ha-namenodes", Title: "HA with other than two NameNodes", Right: "exactly two nodes", Where: "inventory, extra", Firm: true},
	{ID: "label", Title: "not a label of a file system", Right: "at most 16 of A-Z, a-z, 0-9, _ . and -", Where: inInventory, Firm: true},
	{ID: "name", Title: "not a name", Right: "a-z, 0-9 and -", Where: inInventory, Firm: true},
	{ID: "network", Title: "not a network, or a gateway or name server outside of it", Right: "10.162.2.0/24", Where: inInventory},
	{ID: "nfs", Title: "not the source or the options of an NFS mount", Right: "HOST:/PATH", Where: inInventory, Firm: true},
	{ID: "port", Title: "not a port", Right: "1 to 65535", Where: inInventory, Firm: true},
	{ID: "port-clash", Title: "two services of one node on one port", Right: "a port for each", Where: "inventory, extra, rendered files"},
	{ID: "range", Title: "a number out of its range", Right: "what the message says", Where: inInventory, Firm: true},
	{ID: "recipe", Title: "a recipe that can't be read", Right: "what the message says", Where: "recipes", Firm: true},
	{ID: "render", Title: "a node whose files can't be rendered", Right: "what the message says", Where: "rendered files", Firm: true},
	{ID: "replication", Title: "more copies than DataNodes", Right: "3, or the number of DataNodes", Where: inInventory},
	{ID: "required", Title: "something that is missing", Right: "what the message says", Where: inInventory, Firm: true},
	{ID: "role-without-node", Title: "a role that no node has", Right: "at least one node", Where: inInventory, Firm: true},
	{ID: "size", Title: "a file that is too large", Right: "a few kilobytes", Where: inInventory, Firm: true},
	{ID: "syntax", Title: "not the YAML that forge reads", Right: "what the message says", Where: inInventory, Firm: true},
	{ID: "temporary", Title: "data that must last in /tmp", Right: "a directory that a reboot leaves alone", Where: "extra, overlays, rendered files, hand-made nodes"},
	{ID: "type", Title: "a value of another type", Right: "what the message says", Where: inInventory, Firm: true},
	{ID: "unknown-extra", Title: "extra settings for a file that nothing renders", Right: "a name that a component's manifest has", Where: "extra"},
	{ID: "unknown-key", Title: "a key that is not known", Right: "a key of the schema", Where: inInventory, Firm: true},
	{ID: "unknown-node", Title: "a node that is not in the inventory", Right: "one of nodes", Where: inInventory, Firm: true},
	{ID: "unknown-role", Title: "a role that the stack does not have", Right: "one of the stack's roles", Where: inInventory, Firm: true},
	{ID: "value", Title: "characters that a value can't have", Right: "what the message says", Where: inInventory, Firm: true},
	{ID: "zk-ensemble", Title: "other servers than the ensemble's", Right: "all servers of the ensemble", Where: "extra, overlays, rendered files"},
}

// Rules returns all rules: F01 to F27, then the others by name.
func Rules() []Rule { return slices.Clone(rulebook) }

// FindRule returns the rule of that id.
func FindRule(id string) (Rule, bool) {
	i := slices.IndexFunc(rulebook, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return Rule{}, false
	}
	return rulebook[i], true
}

func ruleIDs() []string {
	ids := make([]string, 0, len(rulebook))
	for _, r := range rulebook {
		ids = append(ids, r.ID)
	}
	return ids
}

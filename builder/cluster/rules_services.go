package cluster

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func (c *checker) zookeeper() {
	z := c.inv.ZooKeeper
	c.port("zookeeper.port", z.Port)
	c.nodeList("zookeeper.nodes", z.Nodes)
	if n := len(z.Nodes); n > 0 && n%2 == 0 {
		c.add("zookeeper.nodes", "even-ensemble", fmt.Sprintf("%d ZooKeeper servers make an ensemble of even size: it survives no more failures than %d would", n, n-1), fmt.Sprintf("use %d or %d nodes", n-1, n+1))
	}
}

func (c *checker) mesos() {
	m := c.inv.Mesos
	c.clean("mesos.cluster", m.Cluster)
	if m.WorkDir != "" {
		c.dir("mesos.work_dir", m.WorkDir)
	}
	c.znode("mesos.znode", m.Znode, "/mesos")
}

// znode checks a path in ZooKeeper. Beside capitals, whatever is wrong would break the URL it ends in.
func (c *checker) znode(at, z, example string) {
	switch {
	case z == "":
	case z == "/":
		c.must(at, "F06", at+" is /, which Mesos refuses", "write "+example)
	case !zkPath.MatchString(z) || path.Clean(z) != z:
		c.must(at, "F06", fmt.Sprintf("%s %q is not a path such as %s", at, z, example), "begin with /, end without one; no spaces, commas or colons")
	case z != strings.ToLower(z):
		c.add(at, "F06", fmt.Sprintf("%s %q has capital letters; %s and %s are two znodes, and half of the cluster would look at each", at, z, z, strings.ToLower(z)), "write "+strings.ToLower(z))
	}
}

func (c *checker) mrv1() {
	m := c.inv.MRv1
	c.node("mrv1.jobtracker", m.JobTracker, "F24")
	c.port("mrv1.port", m.Port)
	c.dirs("mrv1.local_dirs", m.LocalDirs)
	c.count("mrv1.map_slots", m.MapSlots, 0, 1<<10)
	c.count("mrv1.reduce_slots", m.ReduceSlots, 0, 1<<10)
	c.count("mrv1.task_heap", m.TaskHeap, 16, 1<<20)
	at := "mrv1.mesos."
	c.cpus(at+"slot_cpus", m.Mesos.SlotCPUs)
	c.cpus(at+"tasktracker_cpus", m.Mesos.TaskTrackerCPUs)
	c.count(at+"slot_mem", m.Mesos.SlotMem, 16, 1<<22)
	c.count(at+"slot_disk", m.Mesos.SlotDisk, 1, 1<<30)
	c.count(at+"tasktracker_mem", m.Mesos.TaskTrackerMem, 16, 1<<22)
	c.count(at+"tasktracker_disk", m.Mesos.TaskTrackerDisk, 1, 1<<30)
	c.count(at+"map_slots_minimum", m.Mesos.MapSlotsMinimum, 0, 1<<20)
	c.count(at+"reduce_slots_minimum", m.Mesos.ReduceSlotsMinimum, 0, 1<<20)
	if r := m.Mesos.Role; r != "" && r != "*" && !settingKey.MatchString(r) {
		c.add(at+"role", "name", fmt.Sprintf("%q is not a role of Mesos", r), `write "*" or a name of letters, digits, _ . and -`)
	}
}

// count checks a number; 0 means that the default is taken.
func (c *checker) count(at string, n, from, to int) {
	if n != 0 && (n < from || n > to) {
		c.add(at, "range", fmt.Sprintf("%s is %d", at, n), fmt.Sprintf("leave it out, or write a number from %d to %d", max(1, from), to))
	}
}

var cpuNumber = regexp.MustCompile(`^(0|[1-9][0-9]{0,3})(\.[0-9]{1,3})?$`)

func (c *checker) cpus(at, n string) {
	if n == "" {
		return
	}
	f, err := strconv.ParseFloat(n, 64)
	if err != nil || f <= 0 || !cpuNumber.MatchString(n) {
		c.add(at, "range", fmt.Sprintf("%s is %q, not a number of processors", at, n), "write one such as 1 or 0.5")
	}
}

func (c *checker) marathon() {
	c.port("marathon.port", c.inv.Marathon.Port)
	c.znode("marathon.znode", c.inv.Marathon.Znode, "/marathon")
	if z := or(c.inv.Marathon.Znode, "/marathon"); z == or(c.inv.Mesos.Znode, "/mesos") {
		c.add("marathon.znode", "F06", fmt.Sprintf("marathon.znode and mesos.znode are both %s: each would read the other's data", z), "give each a path of its own")
	}
}

func (c *checker) spark() {
	s := c.inv.Spark
	c.count("spark.cores_max", s.CoresMax, 1, 1<<20)
	c.count("spark.executor_memory", s.ExecutorMemory, 512, 1<<22)
	c.count("spark.driver_memory", s.DriverMemory, 512, 1<<22)
	c.node("spark.dispatcher", s.Dispatcher, "unknown-node")
}

func (c *checker) hdfs() {
	h := c.inv.HDFS
	c.node("hdfs.namenode", h.NameNode, "F14")
	c.node("hdfs.secondary", h.Secondary, "unknown-node")
	c.port("hdfs.namenode_port", h.NameNodePort)
	c.dirs("hdfs.name_dirs", h.NameDirs)
	c.dirs("hdfs.data_dirs", h.DataDirs)
	if h.NameNode != "" && h.NameNode == h.Secondary {
		c.add("hdfs.secondary", "value", fmt.Sprintf("the SecondaryNameNode is on %q, the NameNode's own machine: its copy would be lost with it", h.Secondary), "name another node, or leave it out")
	}
	if slaves := len(c.inv.NodesOf(RoleSlave)); h.Replication < 0 || (slaves > 0 && h.Replication > slaves) {
		c.add("hdfs.replication", "replication", fmt.Sprintf("replication %d with %d DataNodes: files could never be complete", h.Replication, slaves), "leave it out: forge takes 3, or the number of DataNodes")
	}
	if h.HA != nil {
		c.ha(h)
	}
}

// fencing is what dfs.ha.fencing.methods may be here: methods one per line, without quotes or XML.
var fencing = regexp.MustCompile(`^[ -~\n]{1,999}$`)

func (c *checker) ha(h HDFS) {
	for _, other := range []struct{ at, v string }{{"hdfs.namenode", h.NameNode}, {"hdfs.secondary", h.Secondary}} {
		if other.v != "" {
			c.add(other.at, "ha-conflict", other.at+" can't be set beside hdfs.ha: the pair takes the place of both", "remove it, or hdfs.ha")
		}
	}
	ha := h.HA
	if ha.Nameservice != "" {
		c.name("hdfs.ha.nameservice", ha.Nameservice, "the nameservice")
	}
	c.nodeList("hdfs.ha.namenodes", ha.NameNodes)
	masters := c.inv.NodesOf(RoleMaster)
	switch n := len(ha.NameNodes); {
	case n != 0 && n != 2:
		c.add("hdfs.ha.namenodes", "ha-namenodes", fmt.Sprintf("hdfs.ha.namenodes lists %d; HA is exactly two NameNodes, one active and one standby", n), "list two nodes, or leave it out: forge takes the first two masters")
	case n == 0 && len(masters) < 2:
		c.add("hdfs.ha", "ha-namenodes", fmt.Sprintf("HA needs two NameNodes, and %d node has the role master", len(masters)), "list two nodes in hdfs.ha.namenodes, or remove hdfs.ha")
	}
	c.nodeList("hdfs.ha.journalnodes", ha.JournalNodes)
	journals, at := len(ha.JournalNodes), "hdfs.ha.journalnodes"
	if journals == 0 {
		journals, at = len(c.inv.named(c.inv.ZooKeeper.Nodes, masters)), "hdfs.ha"
	}
	if journals < 3 || journals%2 == 0 {
		c.add(at, "ha-journalnodes", fmt.Sprintf("%d JournalNodes: fewer than three survive no failure, and an even number no more than one less", journals), "list three or five nodes in hdfs.ha.journalnodes")
	}
	if ha.JournalDir != "" {
		c.dir("hdfs.ha.journal_dir", ha.JournalDir)
	}
	c.port("hdfs.ha.journal_port", ha.JournalPort)
	if f := ha.Fencing; f != "" && (!fencing.MatchString(f) || !slices.ContainsFunc([]string{"shell(", "sshfence"}, func(m string) bool { return strings.HasPrefix(f, m) })) {
		c.add("hdfs.ha.fencing", "value", fmt.Sprintf("%q is no fencing method of Hadoop", f), "write shell(PROGRAM) or sshfence")
	}
}

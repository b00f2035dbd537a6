package cluster

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// ServicePort is a port on which a service of a node listens.
type ServicePort struct {
	Service string
	Port    int
	Setting string // path in the inventory that changes it; "": none does
}

// Default ports, of the field guide's section 9, that nothing in the inventory changes. Where a stack is at
// hand, its manifests say more, and rendering checks them.
const (
	portNameNodeHTTP  = 50070
	portSecondary     = 50090
	portDataNode      = 50010
	portDataNodeIPC   = 50020
	portDataNodeHTTP  = 50075
	portJournalHTTP   = 8480
	portZKFC          = 8019
	portJobTracker    = 50030
	portTaskTracker   = 50060
	portSparkDispatch = 7077
	portAdminServer   = 8080 // ZooKeeper's, from 3.5 on; off in what forge renders
)

// Ports lists what listens on a node, by what the inventory says, sorted by port. The inventory must have
// passed [Inventory.Problems].
func (inv *Inventory) Ports(node string) ([]ServicePort, error) {
	d, err := inv.Derive(node, Machine{})
	if err != nil {
		return nil, err
	}
	var ports []ServicePort
	add := func(here bool, service, setting string, numbers ...int) {
		for _, n := range numbers {
			if here {
				ports = append(ports, ServicePort{service, n, setting})
			}
			setting = "" // the first one is what the inventory sets
		}
	}
	on := func(n Node) bool { return n.Name == node }
	master, slave := d.Node.Role == RoleMaster, d.Node.Role == RoleSlave
	add(d.ZooKeeper.MyID > 0, "zookeeper", "zookeeper.port", d.ZooKeeper.Port, d.ZooKeeper.PeerPort, d.ZooKeeper.ElectionPort)
	if at, port := inv.adminServer(); at != "" {
		add(d.ZooKeeper.MyID > 0, "ZooKeeper's AdminServer", at, port)
	}
	add(master, "mesos-master", "extra.mesos-master.port", inv.extraPort("mesos-master", d.Mesos.MasterPort))
	add(slave, "mesos-slave", "extra.mesos-slave.port", inv.extraPort("mesos-slave", d.Mesos.SlavePort))
	add(master, "marathon", "marathon.port", d.Marathon.Port)
	if ha := d.HDFS.HA; ha != nil {
		add(ha.ID != "", "hadoop-hdfs-namenode", "hdfs.namenode_port", d.HDFS.Port, portNameNodeHTTP)
		add(ha.ID != "", "hadoop-hdfs-zkfc", "", portZKFC)
		add(ha.Journal, "hadoop-hdfs-journalnode", "hdfs.ha.journal_port", ha.JournalPort, portJournalHTTP)
	} else {
		add(on(d.HDFS.NameNode), "hadoop-hdfs-namenode", "hdfs.namenode_port", d.HDFS.Port, portNameNodeHTTP)
		add(d.HDFS.Secondary != nil && on(*d.HDFS.Secondary), "hadoop-hdfs-secondarynamenode", "", portSecondary)
	}
	add(slave, "hadoop-hdfs-datanode", "", portDataNode, portDataNodeIPC, portDataNodeHTTP)
	add(on(d.MRv1.JobTracker), "hadoop-0.20-mapreduce-jobtracker", "mrv1.port", d.MRv1.Port, portJobTracker)
	add(slave, "hadoop-0.20-mapreduce-tasktracker", "", portTaskTracker)
	add(on(d.Spark.Dispatcher), "spark-dispatcher", "", portSparkDispatch)
	add(on(d.Azkaban.Node), "azkaban-web", "azkaban.port", d.Azkaban.Port)
	add(!d.Azkaban.Solo && on(d.Azkaban.Executor), "azkaban-executor", "azkaban.executor_port", d.Azkaban.ExecutorPort)
	db := d.Azkaban.Database
	add(!d.Azkaban.Solo && (db.Host == node || db.Host == d.Node.Address), "mysql", "azkaban.database.port", db.Port)
	slices.SortStableFunc(ports, func(a, b ServicePort) int { return cmp.Compare(a.Port, b.Port) })
	return ports, nil
}

// adminServer returns the setting that switches ZooKeeper's AdminServer on, and its port.
func (inv *Inventory) adminServer() (at string, port int) {
	for _, file := range slices.Sorted(maps.Keys(inv.Extra)) {
		settings := inv.Extra[file]
		if settings["admin.enableServer"] == "true" {
			at = "extra." + file + ".admin.enableServer"
			if n, err := strconv.Atoi(settings["admin.serverPort"]); err == nil {
				return "extra." + file + ".admin.serverPort", n
			}
			return at, portAdminServer
		}
	}
	return "", 0
}

func (inv *Inventory) extraPort(file string, otherwise int) int {
	if n, err := strconv.Atoi(inv.Extra[file]["port"]); err == nil {
		return n
	}
	return otherwise
}

// ports tells of clashes, each pair of services once.
func (c *checker) ports() {
	told := map[string]bool{}
	for i, n := range c.inv.Nodes {
		ports, err := c.inv.Ports(n.Name)
		if err != nil {
			continue
		}
		for j := 1; j < len(ports); j++ {
			a, b := ports[j-1], ports[j]
			key := a.Service + " " + b.Service
			if a.Port != b.Port || told[key] {
				continue
			}
			told[key] = true
			at := fmt.Sprintf("nodes[%d]", i)
			for _, p := range []ServicePort{a, b} {
				if c.inv.sets(p.Setting) {
					at = p.Setting
				}
			}
			c.add(at, "port-clash", fmt.Sprintf("node %q: %s and %s both listen on port %d", n.Name, a.Service, b.Service, a.Port), clashHint(a, b))
		}
	}
}

func clashHint(a, b ServicePort) string {
	settings := slices.DeleteFunc([]string{a.Setting, b.Setting}, func(s string) bool { return s == "" })
	switch len(settings) {
	case 0:
		return "put one of them on another node"
	case 1:
		return "change " + settings[0]
	}
	return "change " + settings[0] + " or " + settings[1]
}

// sets says whether the inventory itself sets a port, or leaves it to its default.
func (inv *Inventory) sets(path string) bool {
	switch path {
	case "zookeeper.port":
		return inv.ZooKeeper.Port != 0
	case "marathon.port":
		return inv.Marathon.Port != 0
	case "hdfs.namenode_port":
		return inv.HDFS.NameNodePort != 0
	case "hdfs.ha.journal_port":
		return inv.HDFS.HA != nil && inv.HDFS.HA.JournalPort != 0
	case "mrv1.port":
		return inv.MRv1.Port != 0
	case "azkaban.port":
		return inv.Azkaban.Port != 0
	case "azkaban.executor_port":
		return inv.Azkaban.ExecutorPort != 0
	case "azkaban.database.port":
		return inv.Azkaban.Database.Port != 0
	case "extra.mesos-master.port", "extra.mesos-slave.port":
		return inv.Extra[path[len("extra."):len(path)-len(".port")]]["port"] != ""
	}
	return path != "" // the AdminServer's, which are only there when they are set
}

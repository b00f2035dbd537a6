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

	own bool // the inventory itself sets it
}

// setting is a port's path in the inventory, and what stands there; 0: nothing.
type setting struct {
	path string
	own  int
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
	portSparkPage     = 8082 // 8081 is Azkaban's
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
	add := func(here bool, service string, by setting, numbers ...int) {
		for _, n := range numbers {
			if here {
				ports = append(ports, ServicePort{service, n, by.path, by.own != 0})
			}
			by = setting{} // the first one is what the inventory sets
		}
	}
	on := func(n Node) bool { return n.Name == node }
	master, slave := d.Node.Role == RoleMaster, d.Node.Role == RoleSlave
	add(d.ZooKeeper.MyID > 0, "zookeeper", setting{"zookeeper.port", inv.ZooKeeper.Port}, d.ZooKeeper.Port, d.ZooKeeper.PeerPort, d.ZooKeeper.ElectionPort)
	if at, port := inv.adminServer(); at != "" {
		add(d.ZooKeeper.MyID > 0, "ZooKeeper's AdminServer", setting{at, port}, port)
	}
	own := setting{"extra.mesos-master.port", inv.extraPort("mesos-master")}
	add(master, "mesos-master", own, or(own.own, d.Mesos.MasterPort))
	own = setting{"extra.mesos-slave.port", inv.extraPort("mesos-slave")}
	add(slave, "mesos-slave", own, or(own.own, d.Mesos.SlavePort))
	add(master, "marathon", setting{"marathon.port", inv.Marathon.Port}, d.Marathon.Port)
	if ha := d.HDFS.HA; ha != nil {
		add(ha.ID != "", "hadoop-hdfs-namenode", setting{"hdfs.namenode_port", inv.HDFS.NameNodePort}, d.HDFS.Port, portNameNodeHTTP)
		add(ha.ID != "", "hadoop-hdfs-zkfc", setting{}, portZKFC)
		add(ha.Journal, "hadoop-hdfs-journalnode", setting{"hdfs.ha.journal_port", inv.HDFS.HA.JournalPort}, ha.JournalPort, portJournalHTTP)
	} else {
		add(on(d.HDFS.NameNode), "hadoop-hdfs-namenode", setting{"hdfs.namenode_port", inv.HDFS.NameNodePort}, d.HDFS.Port, portNameNodeHTTP)
		add(d.HDFS.Secondary != nil && on(*d.HDFS.Secondary), "hadoop-hdfs-secondarynamenode", setting{}, portSecondary)
	}
	add(slave, "hadoop-hdfs-datanode", setting{}, portDataNode, portDataNodeIPC, portDataNodeHTTP)
	add(on(d.MRv1.JobTracker), "hadoop-0.20-mapreduce-jobtracker", setting{"mrv1.port", inv.MRv1.Port}, d.MRv1.Port, portJobTracker)
	add(slave, "hadoop-0.20-mapreduce-tasktracker", setting{}, portTaskTracker)
	add(on(d.Spark.Dispatcher), "spark-dispatcher", setting{}, portSparkDispatch)
	add(d.Spark.Dispatching && on(d.Spark.Dispatcher), "spark-dispatcher", setting{}, portSparkPage)
	if a := inv.Azkaban; a != nil {
		add(on(d.Azkaban.Node), "azkaban-web", setting{"azkaban.port", a.Port}, d.Azkaban.Port)
		add(on(d.Azkaban.Executor), "azkaban-executor", setting{"azkaban.executor_port", a.ExecutorPort}, d.Azkaban.ExecutorPort)
		add(d.Azkaban.Database.Node == node, "mariadb", setting{"azkaban.database.port", a.Database.Port}, d.Azkaban.Database.Port)
	}
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

// extraPort is the port that extra settings give a daemon; 0: none.
func (inv *Inventory) extraPort(file string) int {
	n, _ := strconv.Atoi(inv.Extra[file]["port"]) // what is no number changes no port
	return n
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
				if p.own {
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

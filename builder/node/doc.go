// Package node is what forge-node does on a machine: it finds out which node
// of the inventory the machine is, renders that node's configuration from the
// manifests in its image, initialises what is initialised once, starts the
// services of its role and says how it is.
//
// It is for cmd/forge-node; recipe and builder share its manifest types
// ([Component], [Service], [File], [Dir], [Role]).
//
// # Promises
//
//   - A second [Node.Apply] with the same inventory changes no inode, no
//     modification time and no process.
//   - Killed at any point, the next run finishes the work.
//   - A directory that holds data is never initialised again, and a disk that is
//     not blank never formatted.
//   - What lies below a mount point is only touched while it is mounted.
//   - Waiting is bounded, and a service that can't start keeps no other from it.
//   - It needs no network, and writes nothing outside of its Root.
//
// It must not know any component by name: what a component needs stands in its
// manifest.
//
// # Where things are on a node
//
//	/usr/share/forge/components/NAME.json   Component
//	/usr/share/forge/roles/NAME.json        Role
//	/usr/share/forge/standins/NAME.json     StandIn, in the package that is one
//	/usr/share/forge/templates/COMPONENT/   template files
//	/etc/forge/cluster.yaml                 the inventory
//	/etc/forge/node.yaml                    who this is, if user-data says it
//	/etc/forge/secrets/NAME                 secrets, from the seed or made here
//	/var/lib/forge/state.json               what was done once
//	/run/forge/                             this boot: outcome, lock, who asked the link, runit services
//	/run/issue.d/forge.issue                what the login prompt says of this boot
//	DIR.forge-new/                          where a step makes DIR, until it is whole
//
// # What templates see
//
// Template files, and the manifest fields documented as template, are Go
// text/template with missingkey=error over [Data], which embeds
// [cluster.Derived]:
//
//	.Cluster.Name          "lab"
//	.Cluster.Nodes         all nodes, each as .Node; .Cluster.Masters, .Cluster.Slaves
//	.Cluster.Networks      ["10.162.2.0/24"]
//	.Node.Name             "slave1"
//	.Node.Address          "10.162.2.94"
//	.Node.Role             "slave"
//	.Machine.RAM           memory in MiB; .Machine.CPUs
//	.ZooKeeper.Nodes       the ensemble's nodes; .ZooKeeper.Port 2181
//	.ZooKeeper.Connect     "10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181"
//	.ZooKeeper.MyID        1, 2, 3 on its nodes; 0 elsewhere
//	.ZooKeeper.Servers     each .ID 1, .Name "master1", .Address "10.162.2.91"
//	.ZooKeeper.PeerPort    2888; .ZooKeeper.ElectionPort 3888
//	.Mesos.ZK              "zk://10.162.2.91:2181,.../mesos"
//	.Mesos.Znode           "/mesos"
//	.Mesos.Cluster         name shown by the masters
//	.Mesos.Quorum          2
//	.Mesos.WorkDir         "/var/lib/mesos"
//	.Mesos.MasterPort      5050; .Mesos.SlavePort 5051
//	.Mesos.Attributes      map of this node; .Mesos.Resources
//	.HDFS.DefaultFS        "hdfs://10.162.2.91:9000"
//	.HDFS.NameNode         its node (.HDFS.NameNode.Name); .HDFS.Port its RPC port
//	.HDFS.NameDirs         list; .HDFS.DataDirs list, those of this node
//	.HDFS.Replication      3, or the number of DataNodes if smaller
//	.HDFS.Secondary        its node, or nil
//	.HDFS.DataNodes        the nodes that store blocks
//	.MRv1.JobTracker       its node; .MRv1.Port 9001
//	.MRv1.Address          "10.162.2.92:9001"
//	.MRv1.MapSlots         of this node; .MRv1.ReduceSlots
//	.MRv1.LocalDirs        list
//	.MRv1.TaskHeap         MiB of one task's JVM
//	.MRv1.TaskTrackers     the nodes that run tasks
//	.HDFS.HA               nil, or the pair: .Nameservice "lab"; .NameNodes each .ID "nn1", .Name, .Address;
//	                       .JournalNodes; .JournalDir; .JournalPort 8485; .Fencing;
//	                       .SharedEdits "qjournal://10.162.2.91:8485;.../lab"; .Quorum as .ZooKeeper.Connect;
//	                       .ID of this node's NameNode, "" elsewhere; .Journal: a JournalNode runs here
//	.MRv1.Mesos            what the JobTracker asks of Mesos: .SlotCPUs "1", .SlotMem and .SlotDisk MiB,
//	                       .TaskTrackerCPUs "1.0", .TaskTrackerMem, .TaskTrackerDisk, .MapSlotsMinimum,
//	                       .ReduceSlotsMinimum, .Role "*"
//	.Marathon.Port         8080; .Marathon.ZK "zk://10.162.2.91:2181,.../marathon"
//	.Spark.Master          "mesos://zk://10.162.2.91:2181,.../mesos"
//	.Spark.Coarse          true; .Spark.CoresMax 0: no limit
//	.Spark.ExecutorMemory  MiB; .Spark.DriverMemory
//	.Spark.Dispatcher      its node; .Spark.Dispatching: the inventory names it
//	.Azkaban.Node          the web server's node, without a name where the inventory has no azkaban; .Azkaban.Port 8081
//	.Azkaban.Solo          true: one server; .Azkaban.Executor its node else; .Azkaban.ExecutorPort 12321
//	.Azkaban.Timezone      "UTC"
//	.Azkaban.Database      .Host; .Node the cluster's node that it is, or ""; .Address to connect to, 127.0.0.1 with
//	                       .Local: nobody connects from another node; .Port 3306, .Name, .User; the password is a secret
//	.Mounts                file systems of this node: each .Path, .Options; of a disk .Device and .Label,
//	                       of NFS .Source
//	.Extra                 in template files: the inventory's settings for them, a map
//	.Services              names of the services that run on this node
//	.Components            names of the components of its role in this image: an optional one may be absent
//	.Container             true under runit in a container
//
// Functions: `heap "SERVICE"` MiB of heap; `list S...` makes a LIST; `lines LIST` one a line; `join LIST
// ","`; `has LIST S`; `default D S`; `lower S`; `xml S`, `shell S` and
// `sql S` (a literal of MariaDB) escape;
// `fail "WHY"` ends rendering: for what an inventory asks and the software can't;
// `empty`, in settings, an empty value that is written; `staged LIST`, in the
// run of a staged step, where it makes the directories LIST; `secret "NAME"`, in
// the content of files, a secret of this node, and "<secret NAME>" wherever the
// file is shown. A file that holds one has mode 0600, if its manifest says nothing
// else.
package node

package node

import "github.com/mesos-forge/forge/builder/cluster"

// Data is what templates see; the package documentation lists it.
type Data struct {
	cluster.Derived
	Services  []string // names of the services that run on this node, sorted
	Container bool     // under runit in a container
	// Components are those of this node's role in this image, by name.
	Components []string
	// Extra are the settings of the inventory for the template file that is rendered, by the names in
	// its manifest's extra.
	Extra map[string]string
}

// Component is the on-node manifest of one component: what it runs, which
// files are rendered for it and which directories it needs. The builder writes
// it as JSON to /usr/share/forge/components/NAME.json in the component's
// package; recipes hold the same shape as YAML.
//
// Every field documented as "template" is a text/template over [Data]; see the
// package documentation for what it sees.
type Component struct {
	// Name of the component, lower case: "hdfs", "mesos".
	Name string `yaml:"name" json:"name"`
	// Version of the upstream software, for status output: "1.2.1".
	Version string `yaml:"version,omitempty" json:"version,omitempty"`
	// Services that this component can run; a role says which of them it runs.
	Services []Service `yaml:"services,omitempty" json:"services,omitempty"`
	// Files rendered on the node, in this order.
	Files []File `yaml:"files,omitempty" json:"files,omitempty"`
	// Dirs made before anything starts.
	Dirs []Dir `yaml:"dirs,omitempty" json:"dirs,omitempty"`
	// Secrets that its templates read.
	Secrets []Secret `yaml:"secrets,omitempty" json:"secrets,omitempty"`
}

// Secret is a password, or the like, that a component needs on its nodes.
type Secret struct {
	// Name of the secret, a-z, 0-9 and hyphens: "azkaban-db".
	Name string `yaml:"name" json:"name"`
	// Shared secrets are the same on all nodes, so none of them can make it: the
	// seed brings it. The others each node makes for itself at its first boot.
	Shared bool `yaml:"shared,omitempty" json:"shared,omitempty"`
	// If is a template, as in [Service]: a shared secret is brought to the nodes that
	// use it alone.
	If string `yaml:"if,omitempty" json:"if,omitempty"`
}

// Service is one daemon.
type Service struct {
	// Name is the systemd unit without ".service", the runit service directory
	// and the upstart job: "hadoop-hdfs-datanode".
	Name string `yaml:"name" json:"name"`
	// Description is one line for people.
	Description string `yaml:"description,omitempty" json:"description,omitempty"`
	// User that the daemon's main process must run as; status checks it.
	User string `yaml:"user,omitempty" json:"user,omitempty"`
	// Order of starting on one node, small first; equal ones by name. Stopping
	// goes the other way round.
	Order int `yaml:"order,omitempty" json:"order,omitempty"`
	// If is a template; the service runs on this node unless it renders to ""
	// or "false". Empty means always. For roles whose nodes differ:
	// `{{ eq .Node.Name .HDFS.NameNode.Name }}`.
	If string `yaml:"if,omitempty" json:"if,omitempty"`
	// Needs names the peers without which the service can only wait:
	// "zookeeper", "mesos-master", "namenode", "jobtracker" (see [cluster.PeerNames]).
	// One answering end of a peer is enough.
	Needs []string `yaml:"needs,omitempty" json:"needs,omitempty"`
	// Ports the service listens on once it is in its role.
	Ports []Port `yaml:"ports,omitempty" json:"ports,omitempty"`
	// Health checks that must all pass for the level "in-role".
	Health []Check `yaml:"health,omitempty" json:"health,omitempty"`
	// Heap says how much memory the service's JVM gets: the function
	// `heap "SERVICE"` of templates, in MiB.
	Heap *Heap `yaml:"heap,omitempty" json:"heap,omitempty"`
	// Init are the things done once in the life of a node before the first
	// start, in this order.
	Init []Init `yaml:"init,omitempty" json:"init,omitempty"`
	// Runit is the whole `run` script for containers, a template. It must end
	// in exec, and drop privileges itself (chpst -u). Without it the service
	// can't run in a container.
	Runit string `yaml:"runit,omitempty" json:"runit,omitempty"`
	// StartSeconds is how long forge-node waits for the service to be healthy
	// (its ports listen, its checks pass) before it starts the next one and
	// reports this one; 0 means 90. While a peer that it needs is silent,
	// nothing is waited for.
	StartSeconds int `yaml:"start_seconds,omitempty" json:"start_seconds,omitempty"`
	// StopSeconds is how long a container waits for the daemon after SIGTERM
	// before SIGKILL; 0 means 20.
	StopSeconds int `yaml:"stop_seconds,omitempty" json:"stop_seconds,omitempty"`
}

// Port is one listening port of a service.
type Port struct {
	// Name within the service: "http", "ipc", "data".
	Name string `yaml:"name" json:"name"`
	// Number is the port, 1 to 65535. With From it is the default that is
	// shown in documentation and checked for clashes.
	Number int `yaml:"number" json:"number"`
	// From is a template giving the number from the inventory:
	// `{{ .HDFS.Port }}`.
	From string `yaml:"from,omitempty" json:"from,omitempty"`
	// Proto is "tcp" (default) or "udp".
	Proto string `yaml:"proto,omitempty" json:"proto,omitempty"`
}

// CheckKind says how a [Check] asks.
type CheckKind string

// The kinds of health checks.
const (
	CheckTCP  CheckKind = "tcp"  // connecting succeeds
	CheckHTTP CheckKind = "http" // GET gives Status and a body that Match finds
	CheckZK   CheckKind = "zk"   // ZooKeeper's srvr answer matches Match
	CheckExec CheckKind = "exec" // the program Run ends with 0, and Match finds its output
)

// Check is one health check of a service, asked on the node itself.
type Check struct {
	// Name for people, unique in the service: "registered".
	Name string    `yaml:"name" json:"name"`
	Kind CheckKind `yaml:"kind" json:"kind"`
	// Port is the name of one of the service's ports; not of exec.
	Port string `yaml:"port,omitempty" json:"port,omitempty"`
	// Path of the request (http), a template: "/jmx", "/slave(1)/health".
	Path string `yaml:"path,omitempty" json:"path,omitempty"`
	// Status expected (http); 0 means 200.
	Status int `yaml:"status,omitempty" json:"status,omitempty"`
	// Match is a regular expression (RE2) for the first 1 MiB of the body
	// (http), the answer (zk) or the output (exec); empty matches all, for zk the
	// default is `Mode: (leader|follower|standalone)`.
	Match string `yaml:"match,omitempty" json:"match,omitempty"`
	// Run is the argument vector (exec); each element is a template. It only looks,
	// and must answer within 15 s. User runs it; empty means root.
	Run  []string `yaml:"run,omitempty" json:"run,omitempty"`
	User string   `yaml:"user,omitempty" json:"user,omitempty"`
	// Fatal says that waiting does not mend what the check finds: a wrong password,
	// an open port. While all peers of the service answer, the node has then failed.
	Fatal bool `yaml:"fatal,omitempty" json:"fatal,omitempty"`
}

// Heap is the rule for a JVM's heap: Percent of the node's RAM, at least Min,
// at most Max. The inventory's heap setting of the service wins over it.
type Heap struct {
	Percent int `yaml:"percent" json:"percent"`             // of RAM, 1 to 90
	Min     int `yaml:"min" json:"min"`                     // MiB
	Max     int `yaml:"max,omitempty" json:"max,omitempty"` // MiB; 0 means no limit
}

// Init is something done once in the life of a node: formatting a NameNode,
// making a failover znode.
//
// It runs when the node's state has no record of it and no path of Untouched
// holds data. Where one does, the data is taken as it is and the step counts as
// done; if the step was begun and never ended, that is an error for a person. A
// step never runs over data, and no option overrides this.
type Init struct {
	// Name unique in the service: "format".
	Name string `yaml:"name" json:"name"`
	// User that runs it; empty means root.
	User string `yaml:"user,omitempty" json:"user,omitempty"`
	// Run is the argument vector; each element is a template.
	Run []string `yaml:"run" json:"run"`
	// If is a template, as in [Service].
	If string `yaml:"if,omitempty" json:"if,omitempty"`
	// Untouched are templates of absolute paths, each giving one path a line,
	// that this step would destroy if they held data.
	Untouched []string `yaml:"untouched,omitempty" json:"untouched,omitempty"`
	// AllowEmpty keeps existing empty directories of Untouched. Otherwise they
	// are removed first: Hadoop 1.2.1's format takes one as formatted already.
	AllowEmpty bool `yaml:"allow_empty,omitempty" json:"allow_empty,omitempty"`
	// Staged makes the step safe against being killed: Run makes `staged LIST`
	// instead of the directories LIST of Untouched, each below a new directory
	// that User owns, and forge-node moves them into place once all are whole.
	// What was staged by a killed run is thrown away, and the step runs again.
	Staged bool `yaml:"staged,omitempty" json:"staged,omitempty"`
	// Copies says that the directories of Untouched hold the same. One that is absent
	// while another holds data is made, empty: the service fills it from the other.
	Copies bool `yaml:"copies,omitempty" json:"copies,omitempty"`
	// Needs names peers, as in [Service]; until one end of each answers, the
	// service waits for its first start, and the others of the node go on. A step
	// that needs peers is tried again if it fails: one may listen and not serve yet.
	Needs []string `yaml:"needs,omitempty" json:"needs,omitempty"`
	// NeedsAll names peers of which every end must answer: a quorum of
	// JournalNodes is formatted whole or not at all.
	NeedsAll []string `yaml:"needs_all,omitempty" json:"needs_all,omitempty"`
}

// Format says how a [File] is made.
type Format string

// The formats of files.
const (
	FormatTemplate   Format = "template"   // the template file's output
	FormatHadoopXML  Format = "hadoop-xml" // <configuration> of the settings, sorted by name
	FormatFlags      Format = "flags"      // Path is a directory: one file per setting, as Mesos reads them
	FormatEnv        Format = "env"        // NAME="value" lines for sh and systemd's EnvironmentFile
	FormatExports    Format = "exports"    // export NAME="value" lines: for scripts that source a file and export nothing themselves
	FormatProperties Format = "properties" // key=value lines, Java's escapes
)

// File is one rendered file, or with FormatFlags one directory of small files.
type File struct {
	// Path on the node, absolute, a template.
	Path string `yaml:"path" json:"path"`
	// Format of the content.
	Format Format `yaml:"format" json:"format"`
	// Template is a file below /usr/share/forge/templates/COMPONENT/, for
	// FormatTemplate alone.
	Template string `yaml:"template,omitempty" json:"template,omitempty"`
	// Settings by name, for the other formats; names and values are templates. A
	// setting whose name or value renders to "" is left out; `{{ empty }}` writes
	// an empty value.
	Settings map[string]string `yaml:"settings,omitempty" json:"settings,omitempty"`
	// Extra names maps of the inventory that are laid over Settings: entries
	// of the inventory's `extra:` ("hdfs-site"), or "node.attributes",
	// "node.resources". A template sees them as .Extra.
	Extra []string `yaml:"extra,omitempty" json:"extra,omitempty"`
	// Required are the settings, extra ones included, without which the software
	// can't do its work: rendering fails where one is missing or empty. Each is a
	// template of a setting's name, or of "" where it isn't required.
	Required []string `yaml:"required,omitempty" json:"required,omitempty"`
	// Mode in octal; "" means "0644", or "0600" where the content holds a secret.
	Mode string `yaml:"mode,omitempty" json:"mode,omitempty"`
	// Owner and Group; "" means root.
	Owner string `yaml:"owner,omitempty" json:"owner,omitempty"`
	Group string `yaml:"group,omitempty" json:"group,omitempty"`
	// When lists services; the file is rendered only if one of them runs on
	// this node. Empty means wherever the component is installed.
	When []string `yaml:"when,omitempty" json:"when,omitempty"`
	// Restart lists services that restart when the content changes. Empty
	// means those of When, or all of the component's, or, in a component that
	// has none, all of the node's.
	Restart []string `yaml:"restart,omitempty" json:"restart,omitempty"`
	// Fixed are templates of absolute paths, one a line: while one of them
	// holds data, another content is an error instead of being written. For
	// files that say whose the data is: ZooKeeper's myid.
	Fixed []string `yaml:"fixed,omitempty" json:"fixed,omitempty"`
}

// Dir is a directory made on the node with exactly this mode and owner.
type Dir struct {
	// Path is a template; each line that is not empty is one absolute path:
	// `{{ lines .HDFS.DataDirs }}`.
	Path string `yaml:"path" json:"path"`
	// Mode in octal; "" means "0755". Set exactly, whatever the umask.
	Mode  string `yaml:"mode,omitempty" json:"mode,omitempty"`
	Owner string `yaml:"owner,omitempty" json:"owner,omitempty"`
	Group string `yaml:"group,omitempty" json:"group,omitempty"`
	// When as in [File].
	When []string `yaml:"when,omitempty" json:"when,omitempty"`
}

// Role says what a node of this role runs. The builder writes it as JSON to
// /usr/share/forge/roles/NAME.json in the package forge-role-NAME.
type Role struct {
	// Name of the role: "slave".
	Name string `yaml:"name" json:"name"`
	// Description is one line for people.
	Description string `yaml:"description,omitempty" json:"description,omitempty"`
	// Components installed for the role.
	Components []string `yaml:"components" json:"components"`
	// Services that run; every other service of the installed components
	// stays disabled and stopped.
	Services []string `yaml:"services" json:"services"`
	// MustNotListen are TCP ports that belong to other roles.
	MustNotListen []int `yaml:"must_not_listen,omitempty" json:"must_not_listen,omitempty"`
	// InitSystem of the machines; "" means systemd.
	InitSystem InitSystem `yaml:"init_system,omitempty" json:"init_system,omitempty"`
}

// InitSystem is what starts the services of a machine; in a container, runit does.
type InitSystem string

// The init systems.
const (
	InitSystemd InitSystem = "systemd"
	InitUpstart InitSystem = "upstart"
)

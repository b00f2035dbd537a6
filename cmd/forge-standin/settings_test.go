package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestRefusedSettings runs the real binary with each wrong setting that makes the real daemon
// exit. WORK in an argument stands for a fresh directory, DIR for one that is there, LOG for a file in the way.
func TestRefusedSettings(t *testing.T) {
	const zk = "--zk=zk://127.0.0.1:1/mesos"
	const slaveZK = "--master=zk://127.0.0.1:1/mesos"
	tests := []struct {
		name, version, program string
		env                    []string
		args                   []string
		want                   string // part of standard error
		usage                  bool   // with the usage below
	}{
		{name: "slave unknown flag", program: "mesos-slave", args: []string{slaveZK, "--work_dir=WORK", "--colour=red"},
			want: "Failed to load unknown flag 'colour'", usage: true},
		{name: "master unknown flag", program: "mesos-master", args: []string{"--work_dir=WORK", "--master=x"},
			want: "Failed to load unknown flag 'master'", usage: true},
		{name: "capitals of the document", program: "mesos-slave", args: []string{"--work_dir=WORK", "--Zk=x"},
			want: "Failed to load unknown flag 'zk'", usage: true},
		{name: "flag without value", program: "mesos-slave", args: []string{"--master", "--work_dir=WORK"},
			want: "Failed to load non-boolean flag 'master': Missing value", usage: true},
		{name: "no- of a non-boolean", program: "mesos-slave", args: []string{"--no-master", "--work_dir=WORK"},
			want: "Failed to load non-boolean flag 'master' via 'no-master'", usage: true},
		{name: "bad boolean", program: "mesos-slave", args: []string{slaveZK, "--work_dir=WORK", "--strict=maybe"},
			want: "Failed to load flag 'strict': Failed to load value 'maybe': Expecting a boolean", usage: true},
		{name: "twice", program: "mesos-slave", args: []string{slaveZK, slaveZK, "--work_dir=WORK"},
			want: "Duplicate flag 'master' on command line", usage: true},
		{name: "flag and its alias", program: "mesos-master",
			args: []string{"--work_dir=WORK", "--agent_ping_timeout=1secs", "--slave_ping_timeout=1secs"},
			want: "Flag is already loaded via name 'agent_ping_timeout'", usage: true},
		{name: "duration without unit", program: "mesos-slave",
			args: []string{slaveZK, "--work_dir=WORK", "--executor_registration_timeout=60"},
			want: "Unknown duration unit ''", usage: true},
		{name: "port too large", program: "mesos-slave", args: []string{slaveZK, "--work_dir=WORK", "--port=70000"},
			want: "Failed to load flag 'port': Failed to load value '70000': Failed to convert '70000' to number", usage: true},
		{name: "port is a word", program: "mesos-master", args: []string{"--work_dir=WORK", "--port=http"},
			want: "Failed to convert 'http' to number", usage: true},
		{name: "flag of another version", version: "0.19.0", program: "mesos-slave",
			args: []string{slaveZK, "--advertise_ip=127.0.0.1"}, want: "Failed to load unknown flag 'advertise_ip'", usage: true},
		{name: "0.19 flag on 1.x", program: "mesos-slave", args: []string{slaveZK, "--work_dir=WORK", "--checkpoint"},
			want: "Failed to load unknown flag 'checkpoint'", usage: true},

		{name: "slave without master", program: "mesos-slave", args: []string{"--work_dir=WORK"},
			want: "Missing required option `--master` or `--master_detector`.", usage: true},
		{name: "0.19 slave without master", version: "0.19.0", program: "mesos-slave",
			want: "Missing required option --master", usage: true},
		{name: "agent without work_dir", program: "mesos-agent", args: []string{slaveZK},
			want: "Flag 'work_dir' is required, but it was not provided", usage: true},
		{name: "work_dir can't be made", program: "mesos-slave", args: []string{slaveZK, "--work_dir=LOG/x"},
			want: "Failed to create work directory"},
		{name: "log_dir can't be made", program: "mesos-slave", args: []string{slaveZK, "--work_dir=WORK", "--log_dir=LOG/x"},
			want: "Could not initialize logging: Failed to create directory"},
		{name: "logging level", program: "mesos-slave", args: []string{slaveZK, "--work_dir=WORK", "--logging_level=DEBUG"},
			want: "'DEBUG' is not a valid logging level"},

		{name: "zk path /", program: "mesos-slave", args: []string{"--master=zk://h:2181/", "--work_dir=WORK"},
			want: "Expecting a (chroot) path for ZooKeeper ('/' is not supported)"},
		{name: "zk path missing", program: "mesos-slave", args: []string{"--master=zk://h:2181,i:2181", "--work_dir=WORK"},
			want: "Expecting a (chroot) path for ZooKeeper ('/' is not supported)"},
		{name: "no zk://", program: "mesos-slave", args: []string{"--master=10.162.2.91:2181,10.162.2.92:2181/mesos", "--work_dir=WORK"},
			want: "Failed to create a master detector: Failed to parse '10.162.2.91:2181,10.162.2.92:2181/mesos'"},
		{name: "the document's URL", program: "mesos-slave",
			args: []string{"--master=zk:10.162.2.91:2181，10.162.2.92:2181，10.162.2.93:2181/mesos", "--work_dir=WORK"},
			want: "Failed to create a master detector: Failed to parse 'zk:10.162.2.91"},
		{name: "full-width commas", program: "mesos-slave",
			args: []string{"--master=zk://10.162.2.91:2181，10.162.2.92:2181/mesos", "--work_dir=WORK"},
			want: "zookeeper_init: Invalid argument [22]"},
		{name: "zk server without port", program: "mesos-slave", args: []string{"--master=zk://h1,h2:2181/mesos", "--work_dir=WORK"},
			want: "zookeeper_init: Invalid argument [22]"},
		{name: "trailing slash", program: "mesos-slave", args: []string{"--master=zk://h:2181/mesos/", "--work_dir=WORK"},
			want: "Failed to create znode '/mesos/'"},
		{name: "host without port", program: "mesos-slave", args: []string{"--master=master1", "--work_dir=WORK"},
			want: "Failed to parse 'master1'"},
		{name: "master file missing", program: "mesos-slave", args: []string{"--master=file:///nonexistent/zk", "--work_dir=WORK"},
			want: "Error reading file '/nonexistent/zk'", usage: true},
		{name: "master file is a directory", program: "mesos-slave", args: []string{"--master=file://DIR", "--work_dir=WORK"},
			want: "Error reading file", usage: true},
		{name: "one slash", program: "mesos-slave", args: []string{"--master=zk:/10.162.2.91:2181,10.162.2.92:2181/mesos", "--work_dir=WORK"},
			want: "Failed to create a master detector: Failed to parse 'zk:/10.162.2.91:2181,10.162.2.92:2181/mesos'"},
		{name: "no slashes", program: "mesos-slave", args: []string{"--master=zk:10.162.2.91:2181,10.162.2.92:2181/mesos", "--work_dir=WORK"},
			want: "Failed to create a master detector: Failed to parse 'zk:10.162.2.91"},
		{name: "0.19 zk path /", version: "0.19.0", program: "mesos-slave", args: []string{"--master=zk://h:2181/"},
			want: "Expecting a (chroot) path for ZooKeeper ('/' is not supported)"},
		{name: "0.19 no zk://", version: "0.19.0", program: "mesos-slave", args: []string{"--master=10.162.2.91:2181,10.162.2.92:2181/mesos"},
			want: "Failed to parse"},
		{name: "empty master", program: "mesos-slave", args: []string{"--master=", "--work_dir=WORK"},
			want: "Failed to parse ''"},

		{name: "master without work_dir", program: "mesos-master", args: []string{zk, "--quorum=1"},
			want: "--work_dir needed for replicated log based registry"},
		{name: "zk without quorum", program: "mesos-master", args: []string{zk, "--work_dir=WORK"},
			want: "Need to specify --quorum for replicated log based registry when using ZooKeeper"},
		{name: "quorum 0", program: "mesos-master", args: []string{zk, "--work_dir=WORK", "--quorum=0"},
			want: "Invalid value '0' for --quorum"},
		{name: "quorum negative", program: "mesos-master", args: []string{zk, "--work_dir=WORK", "--quorum=-1"},
			want: "Failed to load flag 'quorum': Failed to load value '-1': Failed to convert '-1' to number", usage: true},
		{name: "quorum is a word", program: "mesos-master", args: []string{zk, "--work_dir=WORK", "--quorum=majority"},
			want: "Failed to convert 'majority' to number", usage: true},
		{name: "0.19 zk without quorum", version: "0.19.0", program: "mesos-master", args: []string{zk, "--work_dir=WORK"},
			want: "Need to specify --quorum"},
		{name: "master zk path /", program: "mesos-master", args: []string{"--zk=zk://h:2181/", "--work_dir=WORK", "--quorum=1"},
			want: "Error parsing ZooKeeper URL: Expecting a (chroot) path"},
		{name: "master zk without scheme", program: "mesos-master", args: []string{"--zk=h:2181/mesos", "--work_dir=WORK", "--quorum=1"},
			want: "Error parsing ZooKeeper URL: Expecting 'zk://' at the beginning of the URL"},
		{name: "master zk with one slash", program: "mesos-master", args: []string{"--zk=zk:/h:2181/mesos", "--work_dir=WORK", "--quorum=1"},
			want: "Error parsing ZooKeeper URL: Expecting 'zk://' at the beginning of the URL"},
		{name: "master zk with full-width commas", program: "mesos-master",
			args: []string{"--zk=zk://10.162.2.91:2181，10.162.2.92:2181/mesos", "--work_dir=WORK", "--quorum=1"},
			want: "zookeeper_init: Invalid argument [22]"},
		{name: "master zk path missing", program: "mesos-master", args: []string{"--zk=zk://h:2181,i:2181", "--work_dir=WORK", "--quorum=1"},
			want: "Error parsing ZooKeeper URL: Expecting a (chroot) path"},
		{name: "master zk file missing", program: "mesos-master", args: []string{"--zk=file:///nonexistent/zk", "--work_dir=WORK", "--quorum=1"},
			want: "Error reading file '/nonexistent/zk'", usage: true},
		{name: "quorum with a fraction", program: "mesos-master", args: []string{zk, "--work_dir=WORK", "--quorum=1.5"},
			want: "Failed to convert '1.5' to number", usage: true},
		{name: "quorum without a value", program: "mesos-master", args: []string{zk, "--work_dir=WORK", "--quorum="},
			want: "Failed to load flag 'quorum'", usage: true},
		{name: "0.19 master without work_dir", version: "0.19.0", program: "mesos-master", args: []string{zk, "--quorum=1"},
			want: "--work_dir needed for replicated log based registry"},
		{name: "unknown registry", program: "mesos-master", args: []string{"--registry=inmemory", "--work_dir=WORK"},
			want: "'inmemory' is not a supported option for registry persistence"},
		{name: "in_memory and strict", version: "0.19.0", program: "mesos-master", args: []string{"--registry=in_memory", "--registry_strict"},
			want: "Cannot use '--registry_strict' when using in-memory storage based registry"},
		{name: "reregister timeout too short", program: "mesos-master", args: []string{"--work_dir=WORK", "--agent_reregister_timeout=1mins"},
			want: "Must be at least 10mins"},

		{name: "foreign ip", program: "mesos-slave", args: []string{slaveZK, "--work_dir=WORK", "--ip=192.0.2.94", "--port=0"},
			want: "Failed to bind on 192.0.2.94:0"},
		{name: "ip is a name", program: "mesos-slave", args: []string{slaveZK, "--work_dir=WORK", "--ip=slave1"},
			want: "Failed to parse the IP 'slave1'"},
		{name: "ip and discovery", program: "mesos-slave",
			args: []string{slaveZK, "--work_dir=WORK", "--ip=127.0.0.1", "--ip_discovery_command=echo"},
			want: "Only one of `--ip` or `--ip_discovery_command` should be specified", usage: true},
		{name: "resources without colon", program: "mesos-slave", args: []string{slaveZK, "--work_dir=WORK", "--resources=cpus=4"},
			want: "Failed to determine agent resources: Bad value for resources, missing or extra ':' in cpus=4"},
		{name: "resources of text", program: "mesos-slave", args: []string{slaveZK, "--work_dir=WORK", "--resources=cpus:four"},
			want: "Bad type for resource cpus value four type TEXT"},
		{name: "ports not a range", program: "mesos-slave", args: []string{slaveZK, "--work_dir=WORK", "--resources=ports:[31000]"},
			want: "Expecting one or more \"ranges\""},
		{name: "attributes without value", program: "mesos-slave", args: []string{slaveZK, "--work_dir=WORK", "--attributes=rack:"},
			want: "Invalid attribute key:value pair 'rack:'"},
		{name: "unknown isolator", program: "mesos-slave", args: []string{slaveZK, "--work_dir=WORK", "--isolation=posix/cpus"},
			want: "Unknown or unsupported isolator: posix/cpus"},
		{name: "unknown containerizer", program: "mesos-slave", args: []string{slaveZK, "--work_dir=WORK", "--containerizers=lxc"},
			want: "Unknown or unsupported containerizer: lxc"},
		{name: "recover", program: "mesos-slave", args: []string{slaveZK, "--work_dir=WORK", "--recover=maybe"},
			want: "Unknown option for 'recover' flag maybe"},
		{name: "bad JSON", program: "mesos-slave", args: []string{slaveZK, "--work_dir=WORK", "--executor_environment_variables={"},
			want: "Failed to load flag 'executor_environment_variables'", usage: true},
		{name: "wrong environment", program: "mesos-slave", env: []string{"MESOS_PORT=many"}, args: []string{slaveZK, "--work_dir=WORK"},
			want: "Failed to convert 'many' to number", usage: true},
	}
	sbin := map[string]string{"": install(t, ""), "0.19.0": install(t, "0.19.0")}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "file")
			if err := os.WriteFile(file, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			var args []string
			for _, a := range tt.args {
				args = append(args, strings.NewReplacer("DIR", dir, "WORK", filepath.Join(dir, "work"), "LOG", file).Replace(a))
			}
			status, stdout, stderr := outcome(t, tt.env, filepath.Join(sbin[tt.version], tt.program), args...)
			if status != 1 || stdout != "" {
				t.Errorf("exit status %d, stdout %q, want 1 and nothing", status, stdout)
			}
			if !strings.Contains(stderr, tt.want) {
				t.Errorf("stderr does not say %q:\n%.400s", tt.want, stderr)
			}
			if got := strings.Contains(stderr, "Usage: "+tt.program); got != tt.usage {
				t.Errorf("usage printed: %v, want %v", got, tt.usage)
			}
		})
	}
}

func TestPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	status, _, stderr := outcome(t, nil, filepath.Join(install(t, ""), "mesos-master"),
		"--work_dir="+t.TempDir(), "--ip=127.0.0.1", "--port="+port)
	if status != 1 || !strings.Contains(stderr, "Failed to bind on 127.0.0.1:"+port) {
		t.Errorf("status %d, stderr %s", status, stderr)
	}
}

func TestHelpAndVersion(t *testing.T) {
	for version, sbin := range map[string]string{"1.11.0": install(t, ""), "0.19.0": install(t, "0.19.0")} {
		for _, program := range []string{"mesos-master", "mesos-slave", "mesos-agent"} {
			path := filepath.Join(sbin, program)
			status, stdout, stderr := outcome(t, nil, path, "--version")
			if want := "mesos " + version + " (forge STAND-IN, not Apache Mesos)\n"; status != 0 || stdout != want || stderr != "" {
				t.Errorf("%s --version: %d, %q, %q, want %q", program, status, stdout, stderr, want)
			}
			status, stdout, _ = outcome(t, nil, path, "--help")
			if status != 0 || !strings.Contains(stdout, "--work_dir=VALUE") || !strings.Contains(stdout, "STAND-IN") {
				t.Errorf("%s --help: %d, %.200q", program, status, stdout)
			}
		}
	}
}

func TestMultiCall(t *testing.T) {
	path := filepath.Join(filepath.Dir(install(t, "")), "lib", "forge-standin")
	if status, stdout, _ := outcome(t, nil, path, "mesos-slave", "--version"); status != 0 || !strings.HasPrefix(stdout, "mesos 1.11.0") {
		t.Errorf("forge-standin mesos-slave --version: %d %q", status, stdout)
	}
	for _, args := range [][]string{nil, {"chronos"}, {"--version"}} {
		if status, _, stderr := outcome(t, nil, path, args...); status != 2 || !strings.Contains(stderr, "usage: forge-standin") {
			t.Errorf("forge-standin %q: %d %q", args, status, stderr)
		}
	}
}

func TestBadVersionFile(t *testing.T) {
	status, _, stderr := outcome(t, nil, filepath.Join(install(t, "0.21.0"), "mesos-slave"), "--version")
	if status != 2 || !strings.Contains(stderr, "only 0.19 and 1.x can be imitated") {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
}

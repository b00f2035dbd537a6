package mesos

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

//lint:file-ignore ST1005 the texts are those of the real daemon

// usageError is an error that the daemon prints above its usage.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

// settings is what a daemon starts with, once every flag has been checked.
type settings struct {
	program   Program
	version   Version
	flags     *Flags
	zk        *ZKURL // nil: stand-alone
	direct    string // slave: host:port of a stand-alone master
	quorum    int    // master with replicated_log and zk
	ip        string // "" = all addresses
	port      int
	resources map[string]any
	attrs     map[string]any
}

// check holds the rules of the real daemons' main.cpp, in its order.
func check(p Program, v Version, f *Flags) (*settings, error) {
	s := &settings{program: p, version: v, flags: f}
	if p == Slave {
		if err := s.checkMasterFlag(); err != nil {
			return nil, err
		}
	}
	if err := s.checkCommon(); err != nil {
		return nil, err
	}
	if p == Master {
		return s, s.checkMaster()
	}
	return s, s.checkSlave()
}

func (s *settings) checkMasterFlag() error {
	_, hasMaster := s.flags.Get("master")
	_, hasDetector := s.flags.Get("master_detector")
	switch {
	case !hasMaster && s.version.old():
		return usageError{"Missing required option --master"}
	case !hasMaster && !hasDetector:
		return usageError{"Missing required option `--master` or `--master_detector`."}
	case hasMaster && hasDetector:
		return usageError{"Only one of --master or --master_detector options should be specified."}
	case hasDetector:
		return fmt.Errorf("Failed to create a master detector: the stand-in loads no modules")
	}
	return nil
}

func (s *settings) checkCommon() error {
	f := s.flags
	_, hasIP := f.Get("ip")
	_, hasDiscovery := f.Get("ip_discovery_command")
	if hasIP && hasDiscovery {
		return usageError{"Only one of `--ip` or `--ip_discovery_command` should be specified"}
	}
	s.ip, _ = f.Get("ip")
	if cmd, ok := f.Get("ip_discovery_command"); ok {
		out, err := exec.Command("/bin/sh", "-c", cmd).Output()
		if err != nil {
			return fmt.Errorf("Failed to run '%s': %w", cmd, err)
		}
		s.ip = strings.TrimSpace(string(out))
	}
	if s.ip != "" && net.ParseIP(s.ip) == nil {
		return fmt.Errorf("Failed to initialize: Failed to parse the IP '%s' of '--ip'", s.ip)
	}
	port, _ := f.Get("port")
	s.port, _ = strconv.Atoi(port) // checked while loading
	level, _ := f.Get("logging_level")
	if level != "INFO" && level != "WARNING" && level != "ERROR" {
		return fmt.Errorf("'%s' is not a valid logging level. Possible values for 'logging_level' flag are: "+
			"'INFO', 'WARNING', 'ERROR'", level)
	}
	for _, name := range []string{"modules", "modules_dir", "hooks"} {
		if _, ok := f.Get(name); ok {
			return fmt.Errorf("Error loading modules: the stand-in loads no modules (--%s)", name)
		}
	}
	return nil
}

func (s *settings) checkMaster() error {
	f := s.flags
	registry, _ := f.Get("registry")
	workDir, hasWorkDir := f.Get("work_dir")
	zk, hasZK := f.Get("zk")
	switch registry {
	case "in_memory":
		if f.Bool("registry_strict") {
			return fmt.Errorf("Cannot use '--registry_strict' when using in-memory storage based registry")
		}
	case "replicated_log":
		if !hasWorkDir {
			return fmt.Errorf("--work_dir needed for replicated log based registry")
		}
		if err := os.MkdirAll(workDir, 0o755); err != nil {
			return fmt.Errorf("Failed to create work directory '%s': %w", workDir, err)
		}
		if hasZK {
			if err := s.checkQuorum(); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("'%s' is not a supported option for registry persistence", registry)
	}
	if hasZK {
		u, err := ParseZKURL(zk)
		if err != nil {
			return fmt.Errorf("Error parsing ZooKeeper URL: %w", err)
		}
		s.zk = &u
	}
	name := "agent_reregister_timeout"
	if s.version.old() {
		name = "slave_reregister_timeout"
	}
	if d := f.Duration(name); d < 10*time.Minute {
		value, _ := f.Get(name)
		return fmt.Errorf("Invalid value '%s' for --%s: Must be at least 10mins", value, name)
	}
	return nil
}

func (s *settings) checkQuorum() error {
	text, ok := s.flags.Get("quorum")
	if !ok {
		return fmt.Errorf("Need to specify --quorum for replicated log based registry when using ZooKeeper")
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1000 {
		return fmt.Errorf("Invalid value '%s' for --quorum: Must be the majority of the masters", text)
	}
	s.quorum = n
	return nil
}

func (s *settings) checkSlave() error {
	f := s.flags
	if err := checkNames(f, "containerizers", "containerizer", s.containerizers()); err != nil {
		return err
	}
	if list, _ := f.Get("containerizers"); strings.Contains(list, "docker") {
		docker, _ := f.Get("docker")
		if _, err := exec.LookPath(docker); err != nil {
			return fmt.Errorf("Failed to create a containerizer: Could not create DockerContainerizer: "+
				"Failed to create docker: %w", err)
		}
	}
	if err := checkNames(f, "isolation", "isolator", s.isolators()); err != nil {
		return err
	}
	if l, ok := f.Get("launcher"); ok && l != "linux" && l != "posix" {
		return fmt.Errorf("Failed to create a containerizer: Unknown or unsupported launcher: %s", l)
	}
	master, _ := f.Get("master")
	if err := s.detector(master, true); err != nil {
		return fmt.Errorf("Failed to create a master detector: %w", err)
	}
	if r, _ := f.Get("recover"); r != "reconnect" && r != "cleanup" {
		return fmt.Errorf("Unknown option for 'recover' flag %s. Please run the agent with '--help' "+
			"to see the valid options", r)
	}
	var err error
	text, _ := f.Get("resources")
	if s.resources, err = parseResources(text); err != nil {
		return fmt.Errorf("Failed to determine agent resources: %w", err)
	}
	text, _ = f.Get("attributes")
	if s.attrs, err = parseAttributes(text); err != nil {
		return err
	}
	workDir, _ := f.Get("work_dir")
	if err := os.MkdirAll(workDir, 0o755); err != nil {
		return fmt.Errorf("Failed to create work directory '%s': %w", workDir, err)
	}
	return nil
}

// detector reads what --master may be: zk://..., file://... with one of the others, host:port.
func (s *settings) detector(master string, files bool) error {
	switch {
	case strings.HasPrefix(master, "zk://"):
		u, err := ParseZKURL(master)
		if err != nil {
			return err
		}
		s.zk = &u
		return nil
	case strings.HasPrefix(master, "file://") && files:
		text, err := readBounded(strings.TrimPrefix(master, "file://"))
		if err != nil {
			return fmt.Errorf("Failed to read from file at '%s'", strings.TrimPrefix(master, "file://"))
		}
		return s.detector(strings.TrimSpace(text), false)
	}
	pid := strings.TrimPrefix(master, "master@")
	if _, _, err := hostPort(pid); err != nil {
		return fmt.Errorf("Failed to parse '%s'", master)
	}
	s.direct = pid
	return nil
}

func (s *settings) containerizers() []string {
	if s.version.old() {
		return []string{"mesos", "external"}
	}
	return []string{"mesos", "docker"}
}

func (s *settings) isolators() []string {
	if s.version.old() {
		return []string{"posix/cpu", "posix/mem", "cgroups/cpu", "cgroups/mem", "cgroups/perf_event",
			"filesystem/shared", "process", "cgroups", "external"}
	}
	return []string{"posix/cpu", "posix/mem", "posix/disk", "posix/rlimits", "disk/du", "disk/xfs",
		"filesystem/posix", "filesystem/shared", "filesystem/linux", "cgroups/all", "cgroups/blkio",
		"cgroups/cpu", "cgroups/cpuset", "cgroups/devices", "cgroups/hugetlb", "cgroups/mem",
		"cgroups/net_cls", "cgroups/net_prio", "cgroups/perf_event", "cgroups/pids", "appc/runtime",
		"docker/runtime", "docker/volume", "gpu/nvidia", "linux/capabilities", "linux/devices",
		"linux/nnp", "linux/seccomp", "namespaces/ipc", "namespaces/pid", "network/cni",
		"network/port_mapping", "network/ports", "volume/csi", "volume/host_path", "volume/image",
		"volume/sandbox_path", "volume/secret", "environment_secret", "process", "cgroups"}
}

func checkNames(f *Flags, flag, what string, known []string) error {
	list, _ := f.Get(flag)
next:
	for _, name := range strings.Split(list, ",") {
		for _, k := range known {
			if name == k {
				continue next
			}
		}
		return fmt.Errorf("Failed to create a containerizer: Unknown or unsupported %s: %s", what, name)
	}
	return nil
}

package marathon

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//lint:file-ignore ST1005 the texts are in the form of the real daemon

// kind is how the real one reads a value.
type kind int

const (
	text   kind = iota
	number      // a whole number
	port        // 1 to 65535
	toggle      // --NAME, or --disable_NAME
	bare        // --NAME, without a value
)

// spec is one flag.
type spec struct {
	name string
	kind kind
	def  string
	from int // the first version, as 100*major+minor; 0: all
	till int // the first version without it; 0: none
}

// specs are the flags of Marathon's documentation ("Command Line Flags") that set what a stand-in has, or
// that an operator may well set beside it.
var specs = []spec{
	{name: "master"},
	{name: "zk", def: "zk://localhost:2181/marathon"},
	{name: "zk_timeout", kind: number, def: "10000"},
	{name: "zk_session_timeout", kind: number, def: "10000", from: 8},
	{name: "zk_hosts", till: 7}, {name: "zk_state", till: 7},
	{name: "zk_max_versions", kind: number, from: 8},
	{name: "zk_compression", kind: toggle, def: "true", from: 11},
	{name: "http_port", kind: port, def: "8080"},
	{name: "http_address"},
	{name: "http_credentials"},
	{name: "http_endpoints"},
	{name: "http_event_callback_slow_consumer_timeout", kind: number, from: 13},
	{name: "http_event_request_timeout", kind: number, from: 101},
	{name: "http_max_concurrent_requests", kind: number, from: 8},
	{name: "http_compression", kind: toggle, def: "true", from: 9},
	{name: "https_port", kind: port, def: "8443"},
	{name: "https_address", from: 8},
	{name: "ssl_keystore_path"}, {name: "ssl_keystore_password"},
	{name: "hostname"},
	{name: "ha", kind: toggle, def: "true"},
	{name: "checkpoint", kind: toggle, def: "true"},
	{name: "executor", def: "//cmd"},
	{name: "failover_timeout", kind: number, def: "604800"},
	{name: "framework_name", def: "marathon", from: 7},
	{name: "leader_proxy_connection_timeout", kind: number, from: 8},
	{name: "leader_proxy_read_timeout", kind: number, from: 8},
	{name: "local_port_min", kind: number, def: "10000"},
	{name: "local_port_max", kind: number, def: "20000"},
	{name: "logging_level", from: 7},
	{name: "max_tasks_per_offer", kind: number, from: 8, till: 104},
	{name: "max_instances_per_offer", kind: number, from: 104},
	{name: "mesos_authentication", kind: toggle, from: 8},
	{name: "mesos_authentication_principal"}, {name: "mesos_authentication_secret_file"},
	{name: "mesos_authentication_secret", from: 104},
	{name: "mesos_leader_ui_url", from: 9},
	{name: "mesos_role"}, {name: "mesos_user", from: 7},
	{name: "min_revive_offers_interval", kind: number, from: 9},
	{name: "decline_offer_duration", kind: number, from: 9},
	{name: "revive_offers_for_new_apps", kind: toggle, from: 9},
	{name: "default_accepted_resource_roles", from: 9},
	{name: "default_network_name", from: 103},
	{name: "enable_features", from: 9},
	{name: "env_vars_prefix", from: 8},
	{name: "event_subscriber"}, {name: "event_stream_max_outstanding_messages", kind: number, from: 9},
	{name: "access_control_allow_origin", from: 8},
	{name: "artifact_store", from: 7},
	{name: "assets_path", from: 7},
	{name: "plugin_dir", from: 10}, {name: "plugin_conf", from: 10},
	{name: "reconciliation_initial_delay", kind: number}, {name: "reconciliation_interval", kind: number},
	{name: "scale_apps_initial_delay", kind: number, from: 8}, {name: "scale_apps_interval", kind: number, from: 8},
	{name: "store_cache", kind: toggle, from: 9},
	{name: "task_launch_timeout", kind: number},
	{name: "task_launch_confirm_timeout", kind: number, from: 11},
	{name: "task_rate_limit", kind: number, till: 7},
	{name: "marathon_store_timeout", kind: number, till: 105},
	{name: "on_elected_prepare_timeout", kind: number, from: 9},
	{name: "kill_chunk_size", kind: number, from: 101}, {name: "kill_retry_timeout", kind: number, from: 101},
	{name: "offer_matching_timeout", kind: number, from: 8},
	{name: "gpu_scheduling_behavior", from: 104},
	{name: "mesos_bridge_name", from: 105},
	{name: "backup_location", from: 105},
	{name: "max_apps", kind: number, from: 8, till: 105},
	{name: "webui_url", from: 8},
	{name: "draining_seconds", kind: number, from: 106},
	{name: "deprecated_features", from: 105},
	{name: "tracing", kind: toggle, from: 101},
	{name: "disable_http", kind: bare, from: 8},
	{name: "help", kind: bare},
	{name: "version", kind: bare},
}

// Flags are the settings of one start.
type Flags struct {
	known  map[string]spec
	values map[string]string
}

func newFlags(v Version) *Flags {
	f := &Flags{known: map[string]spec{}, values: map[string]string{}}
	at := 100*v.Major + v.Minor
	for _, s := range specs {
		if at < s.from || s.till > 0 && at >= s.till {
			continue
		}
		f.known[s.name] = s
		if s.def != "" {
			f.values[s.name] = s.def
		}
	}
	return f
}

// Get returns the value of a flag, "" where it has none.
func (f *Flags) Get(name string) string { return f.values[name] }

// load reads the environment (from 1.5 on), then the command line, which wins. An error is a text in the
// form of the real one's parser.
func (f *Flags) load(v Version, env, args []string) error {
	if v.environment() {
		for _, kv := range env {
			name, value, _ := strings.Cut(kv, "=")
			if name, ok := strings.CutPrefix(name, "MARATHON_"); ok {
				if err := f.fromEnv(strings.ToLower(name), value); err != nil {
					return err
				}
			}
		}
	}
	for i := 0; i < len(args); i++ {
		name, ok := strings.CutPrefix(args[i], "--")
		if !ok {
			return fmt.Errorf("Excess arguments provided: '%s'", args[i])
		}
		s, on, err := f.find(name)
		if err != nil {
			return err
		}
		if s.kind == toggle || s.kind == bare {
			f.values[s.name] = strconv.FormatBool(on)
			continue
		}
		if i+1 >= len(args) || strings.HasPrefix(args[i+1], "--") {
			return fmt.Errorf("Bad arguments for option '%s': '' - you should provide exactly one argument for this option", name)
		}
		i++
		if err := f.set(s, args[i]); err != nil {
			return err
		}
	}
	if f.values["master"] == "" && f.values["help"] == "" && f.values["version"] == "" {
		return fmt.Errorf("Required option 'master' not found")
	}
	return nil
}

// fromEnv takes MARATHON_NAME=VALUE; a flag without a value is on when the variable is there, whatever it holds
// but "false". What is no flag is another's variable.
func (f *Flags) fromEnv(name, value string) error {
	s, on, err := f.find(name)
	if err != nil {
		return nil
	}
	if s.kind == toggle || s.kind == bare {
		f.values[s.name] = strconv.FormatBool(on && value != "false")
		return nil
	}
	return f.set(s, value)
}

func (f *Flags) find(name string) (s spec, on bool, err error) {
	if s, ok := f.known[name]; ok {
		return s, true, nil
	}
	if of, ok := strings.CutPrefix(name, "disable_"); ok && f.known[of].kind == toggle {
		return f.known[of], false, nil
	}
	return spec{}, false, fmt.Errorf("Unknown option '%s'", name)
}

func (f *Flags) set(s spec, value string) error {
	n, err := strconv.ParseInt(value, 10, 64)
	if (s.kind == number && err != nil) || s.kind == port && (err != nil || n < 1 || n > 65535) {
		return fmt.Errorf("Bad arguments for option '%s': '%s' - wrong arguments format", s.name, value)
	}
	f.values[s.name] = value
	return nil
}

// usage lists the flags.
func (f *Flags) usage() string {
	var b strings.Builder
	b.WriteString("Usage: marathon [options]   (forge STAND-IN, not Marathon)\n\n")
	names := make([]string, 0, len(f.known))
	for name := range f.known {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		line := "  --" + name
		switch s := f.known[name]; {
		case s.kind == toggle:
			line += ", --disable_" + name
		case s.kind != bare:
			line += "  <arg>"
		}
		if def := f.known[name].def; def != "" {
			line += "   (default = " + def + ")"
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

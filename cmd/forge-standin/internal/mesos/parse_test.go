package mesos

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/cmd/forge-standin/internal/release"
)

func TestParseZKURL(t *testing.T) {
	tests := []struct {
		in   string
		want ZKURL
	}{
		{"zk://h:2181/mesos", ZKURL{Servers: []string{"h:2181"}, Path: "/mesos"}},
		{" zk://10.162.2.91:2181,10.162.2.92:2181,m3.example:2181/a/b\n",
			ZKURL{Servers: []string{"10.162.2.91:2181", "10.162.2.92:2181", "m3.example:2181"}, Path: "/a/b"}},
		{"zk://user:p@ss@h:1/m", ZKURL{Auth: "user:p@ss", Servers: []string{"h:1"}, Path: "/m"}},
		{"zk://[::1]:2181/m", ZKURL{Servers: []string{"[::1]:2181"}, Path: "/m"}},
	}
	for _, tt := range tests {
		got, err := ParseZKURL(tt.in)
		if err != nil || !cmp.Equal(got, tt.want) {
			t.Errorf("ParseZKURL(%q) = %+v, %v, want %+v", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{"", "zk://", "zk:///m", "ZK://h:1/m", "zk://h:0/m", "zk://h:65536/m", "zk://h:1,/m",
		"zk://h:1;i:2/m", "zk://h:1//m", "zk://user@h:1/m", "zk://h:1/../m", "zk:// h:1/m"} {
		if got, err := ParseZKURL(in); err == nil {
			t.Errorf("ParseZKURL(%q) = %+v, want an error", in, got)
		}
	}
}

func TestParseResources(t *testing.T) {
	got, err := parseResources(`cpus:4;mem(prod):1024.5;ports:[31000-32000, 8080-8081];gpus:{a,b}`)
	want := map[string]any{"cpus": 4.0, "mem": 1024.5, "ports": "[31000-32000, 8080-8081]", "gpus": "{a,b}"}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	got, err = parseResources(`[{"name":"cpus","type":"SCALAR","scalar":{"value":24}}]`)
	if want := map[string]any{"cpus": 24.0}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("JSON: got %v, %v, want %v", got, err, want)
	}
	for _, in := range []string{"cpus", "cpus:", ":4", "cpus:1:2", "cpus(a:1", "cpus:-1", "cpus:NaN", "ports:[2-1]", "set:{a", "[{}]", "[", "cpus: "} {
		if got, err := parseResources(in); err == nil {
			t.Errorf("parseResources(%q) = %v, want an error", in, got)
		}
	}
}

func TestParseAttributes(t *testing.T) {
	got, err := parseAttributes("rack:2;url:hdfs://n:8020/x;zone:eu west")
	want := map[string]any{"rack": 2.0, "url": "hdfs://n:8020/x", "zone": "eu west"}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, in := range []string{"rack", ":2", "rack:", "set:{a,b}", "rack:ü"} {
		if got, err := parseAttributes(in); err == nil {
			t.Errorf("parseAttributes(%q) = %v, want an error", in, got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{"1mins": time.Minute, "0ns": 0, "1.5hrs": 90 * time.Minute,
		"2weeks": 14 * 24 * time.Hour, "500ms": 500 * time.Millisecond, "3secs": 3 * time.Second} {
		if got, err := parseDuration(in); err != nil || got != want {
			t.Errorf("parseDuration(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "10", "10s", "1 mins", "-1secs", "1e3secs", "99999999999weeks"} {
		if got, err := parseDuration(in); err == nil {
			t.Errorf("parseDuration(%q) = %v, want an error", in, got)
		}
	}
}

// TestFlagSources holds the order: default, environment, command line; and file:// values.
func TestFlagSources(t *testing.T) {
	file := filepath.Join(t.TempDir(), "quorum")
	if err := os.WriteFile(file, []byte("2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := newFlags("mesos-master", flagsOf(Master, Version{release.Version{Major: 1, Minor: 11}}))
	env := []string{"MESOS_PORT=6000", "MESOS_CLUSTER=env", "MESOS_NATIVE_JAVA_LIBRARY=/x", "MESOS_no-root_submissions=", "HOME=/"}
	args := []string{"word", "--cluster=line", "--quorum=file://" + file, "--slave_ping_timeout=3secs", "--Hostname=h", "--no-filter_gpu_resources", "--", "--nonsense"}
	if err := f.load(env, args); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"port": "6000", "cluster": "line", "quorum": "2", "agent_ping_timeout": "3secs",
		"hostname": "h", "filter_gpu_resources": "false", "root_submissions": "false", "registry": "replicated_log"} {
		if got, ok := f.Get(name); !ok || got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got, ok := f.Get("zk"); ok {
		t.Errorf("zk is %q, want none", got)
	}
}

// TestFlagTables checks that no flag is named twice and that each default is a value of its kind.
func TestFlagTables(t *testing.T) {
	for _, p := range []Program{Master, Slave} {
		for _, v := range []Version{{release.Version{Major: 0, Minor: 19, Patch: 0}}, {release.Version{Major: 1, Minor: 11, Patch: 0}}} {
			seen := map[string]bool{}
			for _, s := range flagsOf(p, v) {
				for _, name := range []string{s.name, s.alias} {
					if name != "" && seen[name] {
						t.Errorf("%v %d: flag %s twice", v, p, name)
					}
					seen[name] = true
				}
				if s.def == "" {
					continue
				}
				if got, err := normalise(s.kind, s.def); err != nil || got != s.def {
					t.Errorf("%v %d: default of --%s: %q, %v", v, p, s.name, got, err)
				}
			}
		}
	}
}

func TestMasterInfoRoundTrip(t *testing.T) {
	for _, v := range []Version{{release.Version{Major: 0, Minor: 19, Patch: 0}}, {release.Version{Major: 1, Minor: 11, Patch: 0}}} {
		m := newMasterInfo("id", "master1", "10.162.2.91", 5050, v)
		data, err := m.encode(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeMasterInfo(data)
		if err != nil || got.hostPort() != "10.162.2.91:5050" || got.PID != "master@10.162.2.91:5050" || got.Hostname != "master1" || got.ID != "id" {
			t.Errorf("%v: %+v, %v", v, got, err)
		}
	}
	for _, data := range []string{"", "{}", "{", "\x0a\xff", "\x0d\x00\x00\x00\x00", "\x18\x00"} {
		if got, err := decodeMasterInfo([]byte(data)); err == nil {
			t.Errorf("decodeMasterInfo(%q) = %+v, want an error", data, got)
		}
	}
}

func TestLeaderOf(t *testing.T) {
	for want, children := range map[string][]string{
		"":                     {"log_replicas"},
		"json.info_0000000002": {"json.info_0000000010", "log_replicas", "json.info_0000000002"},
		"info_0000000001":      {"json.info_0000000003", "info_0000000001"},
	} {
		if got := leaderOf(children); got != want {
			t.Errorf("leaderOf(%q) = %q, want %q", children, got, want)
		}
	}
}

func FuzzParsers(f *testing.F) {
	for _, s := range []string{"zk://u:p@h:1,[::1]:2/m/n", "cpus(r):4;ports:[1-2,3-4];s:{a}", "rack:2;u:1", "1.5hrs",
		`[{"name":"cpus","scalar":{"value":1}}]`, "\x0a\x02id\x10\x01\x18\x01", "2KB", "true"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if u, err := ParseZKURL(s); err == nil && (len(u.Servers) == 0 || len(u.Path) < 2 || u.Path[0] != '/') {
			t.Errorf("ParseZKURL(%q) = %+v", s, u)
		}
		if d, err := parseDuration(s); err == nil && d < 0 {
			t.Errorf("parseDuration(%q) = %v", s, d)
		}
		if m, err := decodeMasterInfo([]byte(s)); err == nil && m.Address.Port < 1 {
			t.Errorf("decodeMasterInfo(%q) = %+v", s, m)
		}
		parseResources(s)
		parseAttributes(s)
		for k := kindString; k <= kindJSON; k++ {
			normalise(k, s)
		}
	})
}

func FuzzFlags(f *testing.F) {
	f.Add("--work_dir=/x", "--no-strict", "MESOS_PORT=1")
	f.Add("--", "--=", "MESOS_=")
	f.Add("--no-", "--no-no-strict=", "MESOS_NO-STRICT=true")
	f.Fuzz(func(t *testing.T, a, b, env string) {
		fl := newFlags("mesos-slave", flagsOf(Slave, Version{release.Version{Major: 1, Minor: 11, Patch: 0}}))
		if fl.load([]string{env}, []string{"--hostname_lookup", a, b}) != nil {
			return
		}
		for name, value := range fl.Map() {
			if _, err := normalise(fl.specs[name].kind, value); err != nil {
				t.Errorf("--%s=%q was loaded: %v", name, value, err)
			}
		}
	})
}

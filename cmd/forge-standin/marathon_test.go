package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestMarathonElection runs three against a real ZooKeeper, stops the leader, and expects the others to agree on another.
func TestMarathonElection(t *testing.T) {
	z := startZooKeeper(t)
	z.kill()
	path := filepath.Join(install(t, ""), "marathon")
	zk := strings.Replace(z.url(), "/mesos", "/marathon", 1)
	launch := func() node {
		port := freePort(t)
		return node{start(t, path, "--master", z.url(), "--zk", zk, "--hostname", "127.0.0.1", "--http_address", "127.0.0.1",
			"--http_port", fmt.Sprint(port), "--zk_session_timeout", "3000"), port}
	}
	all := []node{launch(), launch(), launch()}
	for _, n := range all {
		eventually(t, "/ping without ZooKeeper", func() bool { status, body, _ := n.get("/ping"); return status == 200 && body == "pong\n" })
		if status, _, _ := n.get("/v2/leader"); status != http.StatusNotFound {
			t.Errorf("/v2/leader without ZooKeeper: %d", status)
		}
	}
	z.start()
	leader := agreed(t, all)
	checkMarathonPages(t, all[0])
	var rest []node
	for _, n := range all {
		if n.port == leader {
			if status := n.stop(); status != 0 {
				t.Errorf("the leader's exit status after SIGTERM is %d", status)
			}
		} else {
			rest = append(rest, n)
		}
	}
	eventually(t, "another leader", func() bool { return agreed(t, rest) != leader })
}

// agreed waits until all name one of them as the leader, and returns its port.
func agreed(t *testing.T, all []node) (port int) {
	t.Helper()
	eventually(t, "one leader for all", func() bool {
		port = 0
		for _, n := range all {
			var is struct{ Leader string }
			_, body, _ := n.get("/v2/leader")
			if json.Unmarshal([]byte(body), &is) != nil || is.Leader == "" {
				return false
			}
			var p int
			if _, err := fmt.Sscanf(is.Leader, "127.0.0.1:%d", &p); err != nil || port != 0 && p != port {
				return false
			}
			port = p
		}
		for _, n := range all {
			if n.port == port {
				return true
			}
		}
		return false
	})
	return port
}

// checkMarathonPages: every answer says what it comes from, and nothing can be run.
func checkMarathonPages(t *testing.T, n node) {
	t.Helper()
	for path, want := range map[string]string{"/": "STAND-IN", "/v2/apps": `"standin":true`, "/v2/info": `"standin":true`, "/v2/leader": `"standin":true`} {
		status, body, header := n.get(path)
		if status != http.StatusOK || !strings.Contains(body, want) || !strings.Contains(header.Get("Server"), "STAND-IN") {
			t.Errorf("GET %s: %d, %q, %s", path, status, header.Get("Server"), body)
		}
	}
	resp, err := http.Post(fmt.Sprintf("http://127.0.0.1:%d/v2/apps", n.port), "application/json", strings.NewReader(`{"id":"/x","cmd":"sleep 1"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNotImplemented {
		t.Errorf("an app was taken: %d", resp.StatusCode)
	}
}

// TestMarathonRefusesSettings runs the real binary with each wrong setting that makes the real daemon exit.
func TestMarathonRefusesSettings(t *testing.T) {
	master := []string{"--master", "zk://127.0.0.1:1/mesos"}
	for _, tt := range []struct {
		name, version string
		env, args     []string
		want          string
	}{
		{name: "no master", want: "[scallop] Error: Required option 'master' not found"},
		{name: "unknown flag", args: append(master, "--colour", "red"), want: "Unknown option 'colour'"},
		{name: "the form of Mesos", args: []string{"--master=zk://127.0.0.1:1/mesos"}, want: "Unknown option 'master=zk"},
		{name: "no value", args: append(master, "--hostname"), want: "Bad arguments for option 'hostname'"},
		{name: "port is a word", args: append(master, "--http_port", "http"), want: "Bad arguments for option 'http_port': 'http'"},
		{name: "port too large", args: append(master, "--http_port", "70000"), want: "Bad arguments for option 'http_port': '70000'"},
		{name: "a word too many", args: append(master, "start"), want: "Excess arguments provided: 'start'"},
		{name: "master without zk://", args: []string{"--master", "zk:10.162.2.91:2181,10.162.2.92:2181/mesos"}, want: "Failed to parse --master"},
		{name: "full-width commas", args: []string{"--master", "zk://10.162.2.91:2181，10.162.2.92:2181/mesos"}, want: "Failed to parse --master"},
		{name: "znode of the root", args: append(master, "--zk", "zk://127.0.0.1:1/"), want: "Failed to parse --zk"},
		{name: "flag of a later version", version: "0.6.1", args: append(master, "--framework_name", "x"), want: "Unknown option 'framework_name'"},
		{name: "flag of an earlier version", args: append(master, "--task_rate_limit", "1"), want: "Unknown option 'task_rate_limit'"},
		{name: "a wrong variable", env: []string{"MARATHON_MASTER=zk://127.0.0.1:1/mesos", "MARATHON_HTTP_PORT=http"}, want: "Bad arguments for option 'http_port'"},
		{name: "variables before 1.5", version: "0.6.1", env: []string{"MARATHON_MASTER=zk://127.0.0.1:1/mesos"}, want: "Required option 'master' not found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, _, stderr := outcome(t, tt.env, filepath.Join(install(t, tt.version), "marathon"), tt.args...)
			if status != 1 || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit status %d, %q; want %q", status, stderr, tt.want)
			}
		})
	}
}

// TestMarathonReadsVariables: from 1.5 on; what another program's variables say does not matter.
func TestMarathonReadsVariables(t *testing.T) {
	port := freePort(t)
	path := filepath.Join(install(t, "1.5.11"), "marathon")
	n := node{start(t, "/usr/bin/env", "MARATHON_MASTER=127.0.0.1:5050", "MARATHON_ZK=zk://127.0.0.1:1/marathon", "MARATHON_HTTP_ADDRESS=127.0.0.1",
		fmt.Sprintf("MARATHON_HTTP_PORT=%d", port), "MARATHON_HOSTNAME=here", "MARATHON_DISABLE_HA=", "MARATHON_APP_ID=/x", path), port}
	eventually(t, "it leads alone", func() bool {
		_, body, _ := n.get("/v2/info")
		return strings.Contains(body, fmt.Sprintf(`"leader":"here:%d"`, port)) && strings.Contains(body, `"elected":true`) && strings.Contains(body, `"ha":false`)
	})
}

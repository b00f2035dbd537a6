package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// masters are the names of the cluster's masters, sorted.
func (c *testCluster) masters() []string { return c.named("master") }

// slaves are the names of its slaves, sorted.
func (c *testCluster) slaves() []string { return c.named("slave") }

func (c *testCluster) named(prefix string) []string {
	var out []string
	for name := range c.boxes {
		if strings.HasPrefix(name, prefix) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// get asks a node from outside: the engine's networks end on this machine. Redirects are the node's to say.
func (c *testCluster) get(name string, port int, path string) (status int, body string, header http.Header) {
	c.t.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get(fmt.Sprintf("http://%s:%d%s", c.address(name), port, path))
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

// address of a node in the cluster's network.
func (c *testCluster) address(name string) string {
	c.t.Helper()
	for _, n := range c.boxes[name].inspect().NetworkSettings.Networks {
		return n.IPAddress
	}
	c.t.Fatalf("%s has no network", name)
	return ""
}

// testMesos: all masters name one leader, which has every agent, with the settings of the inventory.
func testMesos(t *testing.T, c *testCluster) {
	t.Helper()
	leaders := map[string]bool{}
	var state struct {
		Standin         bool
		Leader, Version string
		ActivatedSlaves int `json:"activated_slaves"`
		Flags           map[string]string
		Slaves          []struct {
			Hostname   string
			Attributes map[string]any
		}
	}
	for _, name := range c.masters() {
		status, body, header := c.get(name, 5050, "/master/state.json")
		if err := json.Unmarshal([]byte(body), &state); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d, %v: %s", name, status, err, body)
		}
		leaders[state.Leader] = true
		if !state.Standin || !strings.Contains(header.Get("Server"), "STAND-IN") {
			t.Errorf("%s does not say that it is a stand-in: %s", name, body)
		}
		if status, _, _ := c.get(name, 5050, "/master/health"); status != http.StatusOK {
			t.Errorf("/master/health of %s: %d", name, status)
		}
	}
	if len(leaders) != 1 || leaders[""] {
		t.Errorf("the masters name the leaders %v", leaders)
	}
	quorum := fmt.Sprint(len(c.masters())/2 + 1)
	if state.ActivatedSlaves != len(c.slaves()) || state.Flags["quorum"] != quorum || state.Flags["registry"] != "replicated_log" || state.Flags["work_dir"] != "/var/lib/mesos" {
		t.Errorf("state of the leader: %+v; want %d slaves, quorum %s and a replicated log", state, len(c.slaves()), quorum)
	}
	hosts := map[string]any{}
	for _, one := range state.Slaves {
		hosts[one.Hostname] = one.Attributes["rack"]
	}
	if len(hosts) != len(c.slaves()) || hosts["slave1"] != "r1" {
		t.Errorf("slaves of the leader: %+v; want %q, slave1 with rack r1", state.Slaves, c.slaves())
	}
	// The fetcher of a slave runs hadoop for hdfs:// addresses, with the environment of the service.
	c.boxes["slave1"].must("sh", "-c", `tr '\0' '\n' </proc/$(pidof mesos-slave)/environ | grep ^PATH= | { IFS== read -r _ p; PATH=$p command -v hadoop; }`)
}

// testMarathon: all name one leader, list no apps and take none.
func testMarathon(t *testing.T, c *testCluster) {
	t.Helper()
	leaders := map[string]bool{}
	for _, name := range c.masters() {
		if status, body, _ := c.get(name, 8080, "/ping"); status != http.StatusOK || body != "pong\n" {
			t.Errorf("/ping of %s: %d %q", name, status, body)
		}
		var info struct {
			Standin         bool
			Leader          string
			MarathonConfig  struct{ Master, Hostname string } `json:"marathon_config"`
			ZookeeperConfig struct{ ZK string }               `json:"zookeeper_config"`
		}
		_, body, header := c.get(name, 8080, "/v2/info")
		if err := json.Unmarshal([]byte(body), &info); err != nil {
			t.Fatalf("%s: %v: %s", name, err, body)
		}
		leaders[info.Leader] = true
		if !info.Standin || !strings.Contains(header.Get("Server"), "STAND-IN") || info.MarathonConfig.Hostname != name ||
			!strings.HasSuffix(info.MarathonConfig.Master, ":2181/mesos") || !strings.HasSuffix(info.ZookeeperConfig.ZK, ":2181/marathon") {
			t.Errorf("/v2/info of %s: %s", name, body)
		}
		if status, body, _ := c.get(name, 8080, "/v2/apps"); status != http.StatusOK || !strings.Contains(body, `"apps":[]`) {
			t.Errorf("/v2/apps of %s: %d %s", name, status, body)
		}
	}
	if len(leaders) != 1 || leaders[""] {
		t.Errorf("they name the leaders %v", leaders)
	}
}

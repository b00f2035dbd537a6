package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder/node"
)

// azkabanInventory has Azkaban's web server and data base on one node, its executor on another. The slave is
// there because a cluster has one; nothing asks it.
const azkabanInventory = `name: azkaban
networks: [{cidr: 10.162.9.0/24}]
nodes:
  - {name: master1, address: 10.162.9.91, role: master}
  - {name: master2, address: 10.162.9.92, role: master}
  - {name: slave1, address: 10.162.9.94, role: slave}
zookeeper: {nodes: [master1]}
azkaban: {node: master1, executor: master2}
accept: [{rule: even-ensemble, reason: of the masters only two have something to do here}]
`

// azkabanSecret has what SQL, sh, properties and option files each take for something else.
const azkabanSecret = `it's \a "$HOME" #100% pass;word`

// TestAzkabanDatabase runs web server and executor on two nodes with MariaDB.
func TestAzkabanDatabase(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	testAzkabanDatabase(t, e, e.load(builtGolden(t), "master", "forge-test/azkaban:1"))
}

func testAzkabanDatabase(t *testing.T, e *engine, image string) {
	t.Helper()
	c := prepareCluster(t, e, azkabanInventory, map[string]string{"master": image})
	for _, b := range c.boxes {
		b.secret("azkaban-database", azkabanSecret)
	}
	c.start()
	c.serves("master1", "mariadb", "azkaban-web")
	c.serves("master2", "azkaban-executor")
	client := c.azkabanOn("master1", "10.162.9.91")
	refusesWrongPassword(t, client)
	run := client.runFlow("pair", "second", map[string]string{
		"first":  "type=command\ncommand=hostname\n",
		"second": "type=command\ndependencies=first\ncommand=id\n",
	})
	succeeded(t, run, "first", "second")
	logged := func() {
		t.Helper()
		for job, want := range map[string]string{"first": "INFO - master2\n", "second": "uid=784(azkaban)"} {
			if log := client.must("log", fmt.Sprint(run.Execution), job); !strings.Contains(log, want) {
				t.Errorf("the log of the job %s does not hold %q:\n%s", job, want, log)
			}
		}
	}
	logged()
	onlyFrom(t, c, "10.162.9.92", map[string]bool{"master1": true, "master2": true})
	closesOrStays(t, c.boxes["master2"], "azkaban-executor", "nobody may close its port to other hosts here")
	testDatabaseDoors(t, c)

	for _, name := range []string{"master1", "master2"} {
		c.boxes[name].stop(150)
		c.boxes[name].start()
	}
	c.serves("master1", "mariadb", "azkaban-web")
	c.serves("master2", "azkaban-executor")
	logged()
	succeeded(t, client.runAgain("pair", "second"), "first", "second")
	testWrongDatabasePassword(t, c.boxes["master2"])
}

// testDatabaseDoors: root enters MariaDB by its socket alone, and Azkaban's account can't change tables.
func testDatabaseDoors(t *testing.T, c *testCluster) {
	t.Helper()
	db := c.boxes["master1"]
	if got := db.must("mariadb", "--batch", "--skip-column-names", "--execute=SELECT name FROM azkaban.projects"); got != "pair\n" {
		t.Errorf("the projects in the data base: %q", got)
	}
	for name, b := range c.boxes {
		_, errs, code := b.run("mariadb", "--protocol=tcp", "--host=10.162.9.91", "--user=root", "--execute=SELECT 1")
		if code == 0 || !strings.Contains(errs, "Access denied for user 'root'") {
			t.Errorf("root by TCP from %s: exit status %d, %s", name, code, errs)
		}
	}
	script := `set -a; . /etc/azkaban/database; mariadb --no-defaults --host="$DATABASE_HOST" --user="$DATABASE_USER" --execute='DROP TABLE projects' azkaban`
	if _, errs, code := db.run("sh", "-c", script); code == 0 || !strings.Contains(errs, "DROP command denied to user 'azkaban'") {
		t.Errorf("Azkaban's account drops a table: exit status %d, %s", code, errs)
	}
}

// testWrongDatabasePassword: a node with another password than the data base says so by name.
func testWrongDatabasePassword(t *testing.T, b *box) {
	t.Helper()
	b.stop(150)
	b.secret("azkaban-database", "another one")
	b.start()
	const want = "azkaban-executor: data base: /usr/lib/azkaban/bin/check-database: exit status 1: ERROR 1045 (28000): Access denied for user 'azkaban'@'10.162.9.92' (using password: YES)"
	var s node.Status
	for deadline := time.Now().Add(6 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Second) {
		if s = b.nodeStatus(); s.Level == node.LevelFailed {
			break
		}
	}
	if s.Level != node.LevelFailed || !slices.Contains(s.Errors, want) {
		t.Errorf("level %s, errors %q, pending %q; want %q", s.Level, s.Errors, s.Pending, want)
	}
}

// secret puts a secret where the seed would.
func (b *box) secret(name, value string) {
	b.t.Helper()
	dir := b.t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "secrets"), 0o700); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secrets", name), []byte(value+"\n"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.copyIn(dir, "/etc/forge")
}

// nodeStatus is what forge-node inside says.
func (b *box) nodeStatus() node.Status {
	b.t.Helper()
	out, errs, _ := b.run("forge-node", "status", "--json")
	var s node.Status
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		b.t.Fatalf("forge-node status: %v in %q; %s", err, out, errs)
	}
	return s
}

// serves waits until services of a node listen on their ports and pass their checks, whatever the others do.
func (c *testCluster) serves(name string, services ...string) {
	c.t.Helper()
	var last string
	for deadline := time.Now().Add(6 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Second) {
		s := c.boxes[name].nodeStatus()
		ready := 0
		for _, svc := range s.Services {
			if !slices.Contains(services, svc.Name) {
				continue
			}
			bad := slices.ContainsFunc(svc.Ports, func(p node.PortStatus) bool { return !p.Listening }) ||
				slices.ContainsFunc(svc.Health, func(h node.CheckStatus) bool { return !h.OK })
			if svc.State == node.Running && !bad {
				ready++
			}
			last = fmt.Sprintf("%+v", svc)
		}
		if ready == len(services) {
			return
		}
	}
	c.t.Fatalf("%q of %s are not up: %s; its log:\n%s", services, name, last, c.boxes[name].log())
}

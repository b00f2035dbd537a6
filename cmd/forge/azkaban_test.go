package main_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// clientVersion is of PyPI's azkaban, a client of Azkaban's API.
const clientVersion = "0.9.14"

// azkabanPython is the interpreter of an environment that has the client, once made.
var azkabanPython = struct {
	sync.Once
	path string
	err  error
}{}

// azkabanClient talks to one web server, as the user azkaban.
type azkabanClient struct {
	t                *testing.T
	server, password string // HOST:PORT
}

// run gives a command to testdata/askazkaban.py.
func (c azkabanClient) run(args ...string) (string, error) {
	c.t.Helper()
	azkabanPython.Do(func() { azkabanPython.path, azkabanPython.err = installAzkabanClient(testCache(c.t)) })
	if azkabanPython.err != nil {
		missing(c.t, "the client of Azkaban from PyPI (python3 with venv, and pip's index): "+azkabanPython.err.Error())
	}
	cmd := exec.CommandContext(c.t.Context(), azkabanPython.path, append([]string{"testdata/askazkaban.py", c.server, c.password}, args...)...)
	cmd.Stdin = nil
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("askazkaban.py %q: %w: %s", args, err, said.String())
	}
	return strings.TrimSpace(string(out)), err
}

func (c azkabanClient) must(args ...string) string {
	c.t.Helper()
	out, err := c.run(args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// installAzkabanClient makes an environment with the client. Its wheels are kept in the cache, where later
// runs take them from.
func installAzkabanClient(cache string) (python string, err error) {
	version, err := exec.Command("python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
	if err != nil {
		return "", err
	}
	env := filepath.Join(work, "azkaban-client")
	wheels := filepath.Join(cache, "azkaban-client-"+clientVersion+"-python"+strings.TrimSpace(string(version)))
	steps := [][]string{{"python3", "-m", "venv", env}}
	pip := filepath.Join(env, "bin", "pip")
	if _, err := os.Stat(wheels); err != nil {
		steps = append(steps, []string{pip, "wheel", "--quiet", "--wheel-dir", wheels + ".new", "azkaban==" + clientVersion},
			[]string{"mv", "-T", wheels + ".new", wheels})
	}
	steps = append(steps, []string{pip, "install", "--quiet", "--no-index", "--find-links", wheels, "azkaban==" + clientVersion})
	for _, argv := range steps {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%q: %w: %s", argv, err, out)
		}
	}
	return filepath.Join(env, "bin", "python"), nil
}

// azkabanRun is how an execution of a flow ended.
type azkabanRun struct {
	Execution int
	Status    string
	Jobs      map[string]string // status by name
}

// runFlow uploads a project whose jobs are commands and whose flow is its last job, and runs it.
func (c azkabanClient) runFlow(project, flow string, jobs map[string]string) azkabanRun {
	c.t.Helper()
	archive := filepath.Join(c.t.TempDir(), project+".zip")
	if err := zipJobs(archive, jobs); err != nil {
		c.t.Fatal(err)
	}
	c.must("create", project)
	c.must("upload", project, archive)
	return c.runAgain(project, flow)
}

func (c azkabanClient) runAgain(project, flow string) azkabanRun {
	c.t.Helper()
	var run azkabanRun
	if out := c.must("run", project, flow); json.Unmarshal([]byte(out), &run) != nil {
		c.t.Fatalf("askazkaban.py run answers %q", out)
	}
	return run
}

func zipJobs(path string, jobs map[string]string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := zip.NewWriter(f)
	for name, text := range jobs {
		file, err := w.Create(name + ".job")
		if err != nil {
			return err
		}
		if _, err := file.Write([]byte(text)); err != nil {
			return err
		}
	}
	return errors.Join(w.Close(), f.Close())
}

// azkabanOn is the client of the web server on a node.
func (c *testCluster) azkabanOn(name, address string) azkabanClient {
	c.t.Helper()
	return azkabanClient{c.t, address + ":8081", strings.TrimSpace(c.boxes[name].must("cat", "/etc/forge/secrets/azkaban-admin"))}
}

// testAzkaban runs a flow whose second job counts words by MapReduce, and reads its log, before and after the
// server restarts. The executor answers its own node alone.
func testAzkaban(t *testing.T, c *testCluster) {
	t.Helper()
	b := c.boxes["master3"]
	client := c.azkabanOn("master3", "10.162.7.93")
	refusesWrongPassword(t, client)
	text, want := words(2000)
	b.put("/tmp/azkaban-words.txt", []byte(text))
	b.as("hdfs", "hadoop", "fs", "-mkdir", "/azkaban") // beside its home, which is there
	b.as("hdfs", "hadoop", "fs", "-chown", "azkaban", "/azkaban")
	run := client.runFlow("counting", "count", map[string]string{
		"put":   "type=command\ncommand=hadoop fs -put /tmp/azkaban-words.txt /azkaban/in.txt\n",
		"count": "type=command\ndependencies=put\ncommand=hadoop jar /usr/lib/hadoop/hadoop-examples-1.2.1.jar wordcount /azkaban/in.txt /azkaban/out\n",
	})
	succeeded(t, run, "put", "count")
	if got := b.as("hdfs", "hadoop", "fs", "-cat", "/azkaban/out/part-r-*"); got != want {
		t.Errorf("the words were counted wrong: %q, want %q", got, want)
	}
	logged := func() {
		t.Helper()
		if log := client.must("log", fmt.Sprint(run.Execution), "count"); !strings.Contains(log, "Job complete: job_") {
			t.Errorf("the log of the job count tells of no MapReduce job:\n%s", log)
		}
	}
	logged()
	onlyFrom(t, c, "10.162.7.93", map[string]bool{"master3": true, "slave1": false})
	closesOrStays(t, b, "azkaban-solo", "nobody may close its executor's port to other hosts here")
	before := b.must("sv", "status", "/run/forge/runit/sv/azkaban-solo")
	b.must("sv", "term", "/run/forge/runit/sv/azkaban-solo")
	eventually(t, "another process of azkaban-solo", func() bool {
		now, _, code := b.run("sv", "status", "/run/forge/runit/sv/azkaban-solo")
		return code == 0 && pidOf(now) != pidOf(before)
	})
	c.serves("master3", "azkaban-solo")
	logged()
}

// pidOf cuts "run: NAME: (pid 27) 5s".
func pidOf(status string) string {
	_, after, _ := strings.Cut(status, "(pid ")
	pid, _, _ := strings.Cut(after, ")")
	return pid
}

func refusesWrongPassword(t *testing.T, client azkabanClient) {
	t.Helper()
	for _, wrong := range []string{"azkaban", client.password + "x"} { // the first is Azkaban's own default
		client.password = wrong
		if out, err := client.run("create", "nobodys"); err == nil || !strings.Contains(err.Error(), "unsuccessful login") {
			t.Errorf("with the password %q: %v, %s", wrong, err, out)
		}
	}
}

func succeeded(t *testing.T, run azkabanRun, jobs ...string) {
	t.Helper()
	want := azkabanRun{run.Execution, "SUCCEEDED", map[string]string{}}
	for _, job := range jobs {
		want.Jobs[job] = "SUCCEEDED"
	}
	if diff := cmp.Diff(want, run); diff != "" {
		t.Fatalf("the flow did not run (-want +got):\n%s", diff)
	}
}

// onlyFrom tells whether an executor's port is reached from those nodes alone; the machine of the test never
// does, though it reaches the network.
func onlyFrom(t *testing.T, c *testCluster, address string, from map[string]bool) {
	t.Helper()
	for name, want := range from {
		_, errs, code := c.boxes[name].run("timeout", "5", "bash", "-c", "exec 3<>/dev/tcp/"+address+"/12321")
		if (code == 0) != want {
			t.Errorf("%s reaches the executor's port: %v, want %v; %s", name, code == 0, want, errs)
		}
	}
	if out, err := exec.Command("timeout", "5", "bash", "-c", "exec 3<>/dev/tcp/"+address+"/12321").CombinedOutput(); err == nil {
		t.Errorf("the machine of the test reaches the executor's port: %s", out)
	}
}

// closesOrStays starts a service's own script without the right to filter packets: it says so, and starts nothing.
func closesOrStays(t *testing.T, b *box, service, want string) {
	t.Helper()
	out, errs, code := b.run("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", "/run/forge/runit/sv/"+service+"/run")
	want = service + " does not start: " + want + "; give the container the capability NET_ADMIN"
	if code != 1 || !strings.Contains(out, want) {
		t.Errorf("%s without NET_ADMIN: exit status %d, %s%s; want %q", service, code, out, errs, want)
	}
}

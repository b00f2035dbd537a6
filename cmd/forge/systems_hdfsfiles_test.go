package main_test

import (
	"strings"
	"testing"
)

const executorArchive = "hadoop-1.2.1-mesos-1.11.0.tar.gz"

// testHDFSFiles looks at what the JobTracker's one-time step laid into HDFS, runs it again, and has the archive
// unpacked as an executor does it.
func testHDFSFiles(t *testing.T, c *testCluster) {
	t.Helper()
	master, slave := c.boxes["master1"], c.boxes["slave1"]
	listing := func() string { return master.as("hdfs", "hadoop", "fs", "-ls", "/", "/user") }
	before := listing()
	for path, want := range map[string]string{
		"/tmp": "drwxrwxrwx hdfs", "/user": "drwxr-xr-x hdfs", "/mapred": "drwxr-xr-x mapred", "/user/mapred": "drwxr-xr-x mapred",
		"/user/spark": "drwxr-xr-x spark", "/user/azkaban": "drwxr-xr-x azkaban", "/" + executorArchive: "-rw-r--r-- hdfs",
	} {
		if got := modeAndOwner(before, path); got != want {
			t.Errorf("%s in HDFS is %q, want %q", path, got, want)
		}
	}
	slave.as("mapred", "sh", "-ec", `cd "$(mktemp -d)"; hadoop fs -get /`+executorArchive+` .; sha256sum * | cut -c 1-64 >/tmp/archive.sum
		tar -xzf *.tar.gz; cd hadoop-1*; bin/hadoop version >/tmp/archive.version; ls lib | wc -l >/tmp/archive.libs`)
	local := strings.Fields(master.must("sha256sum", "/usr/share/forge/archives/"+executorArchive))[0]
	if got := strings.TrimSpace(slave.must("cat", "/tmp/archive.sum")); got != local {
		t.Errorf("the archive in HDFS has sha256 %s, the package's %s", got, local)
	}
	if got := slave.must("cat", "/tmp/archive.version"); !strings.HasPrefix(got, "Hadoop 1.2.1") {
		t.Errorf("bin/hadoop version of the archive: %q", got)
	}

	files := func(user string, args ...string) (string, string, int) {
		return master.run(append([]string{"setpriv", "--reuid", user, "--regid", user, "--init-groups", "--", "/usr/lib/forge/hdfs-files"}, args...)...)
	}
	if out, errs, code := files("hdfs", "/usr/share/forge/archives/"+executorArchive, "hdfs", "mapred", "spark", "azkaban"); code != 0 {
		t.Errorf("a second run: exit status %d, %s%s", code, out, errs)
	}
	if after := listing(); after != before {
		t.Errorf("a second run changed what is there:\n%s\nbefore:\n%s", after, before)
	}
	// Another content under the same name is put in its place, and where there is no room that is said.
	master.put("/tmp/"+executorArchive, []byte("another archive"))
	if out, errs, code := files("hdfs", "/tmp/"+executorArchive, "hdfs"); code != 0 || master.as("mapred", "hadoop", "fs", "-cat", "/"+executorArchive) != "another archive" {
		t.Errorf("another archive: exit status %d, %s%s", code, out, errs)
	}
	master.as("hdfs", "hadoop", "dfsadmin", "-setSpaceQuota", "1", "/tmp")
	_, errs, code := files("hdfs", "/usr/share/forge/archives/"+executorArchive, "hdfs")
	if code != 1 || !strings.Contains(errs, "hdfs-files: can't put /usr/share/forge/archives/"+executorArchive+" into HDFS; is it full? DFS Remaining:") {
		t.Errorf("without room: exit status %d, %s", code, errs)
	}
	master.as("hdfs", "hadoop", "dfsadmin", "-clrSpaceQuota", "/tmp")
	if got := master.as("mapred", "hadoop", "fs", "-cat", "/"+executorArchive); got != "another archive" {
		t.Errorf("a failed upload left %q", got)
	}
	if out, errs, code := files("hdfs", "/usr/share/forge/archives/"+executorArchive, "hdfs"); code != 0 {
		t.Errorf("with room again: exit status %d, %s%s", code, out, errs)
	}
}

// modeAndOwner finds a path in what hadoop fs -ls prints: mode, replication, owner, group, size, day, time, path.
func modeAndOwner(listing, path string) string {
	for line := range strings.Lines(listing) {
		if f := strings.Fields(line); len(f) == 8 && f[7] == path {
			return f[0] + " " + f[2]
		}
	}
	return ""
}

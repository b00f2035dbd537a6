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
	wanted := map[string]string{
		"/tmp": "drwxrwxrwx hdfs", "/user": "drwxr-xr-x hdfs", "/mapred": "drwxr-xr-x mapred", "/user/mapred": "drwxr-xr-x mapred",
		"/user/spark": "drwxr-xr-x spark", "/user/azkaban": "drwxr-xr-x azkaban", "/" + executorArchive: "-rw-r--r-- hdfs",
	}
	for path, want := range wanted {
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
	// What a run that was killed leaves: folders that are still hdfs's, one that is missing, and half an archive.
	master.as("hdfs", "hadoop", "fs", "-chown", "hdfs", "/mapred", "/user/spark")
	master.as("hdfs", "hadoop", "fs", "-rmr", "/user/azkaban")
	master.as("hdfs", "hadoop", "fs", "-mv", "/"+executorArchive, "/"+executorArchive+".part")
	if out, errs, code := files("hdfs", "/usr/share/forge/archives/"+executorArchive, "hdfs", "mapred", "spark", "azkaban"); code != 0 {
		t.Errorf("after a run that was killed: exit status %d, %s%s", code, out, errs)
	}
	for path, want := range wanted {
		if got := modeAndOwner(listing(), path); got != want {
			t.Errorf("after a run that was killed, %s in HDFS is %q, want %q", path, got, want)
		}
	}
	testUsersJob(t, c)
	// Another content under the same name is put in its place, and where there is no room that is said.
	master.put("/tmp/"+executorArchive, []byte("another archive"))
	if out, errs, code := files("hdfs", "/tmp/"+executorArchive, "hdfs"); code != 0 || master.as("mapred", "hadoop", "fs", "-cat", "/"+executorArchive) != "another archive" {
		t.Errorf("another archive: exit status %d, %s%s", code, out, errs)
	}
	master.as("hdfs", "hadoop", "dfsadmin", "-setSpaceQuota", "1", "/")
	_, errs, code := files("hdfs", "/usr/share/forge/archives/"+executorArchive, "hdfs")
	if code != 1 || !strings.Contains(errs, "hdfs-files: can't put /usr/share/forge/archives/"+executorArchive+" into HDFS; is it full? DFS Remaining:") {
		t.Errorf("without room: exit status %d, %s", code, errs)
	}
	master.as("hdfs", "hadoop", "dfsadmin", "-clrSpaceQuota", "/")
	if got := master.as("mapred", "hadoop", "fs", "-cat", "/"+executorArchive); got != "another archive" {
		t.Errorf("a failed upload left %q", got)
	}
	if out, errs, code := files("hdfs", "/usr/share/forge/archives/"+executorArchive, "hdfs"); code != 0 {
		t.Errorf("with room again: exit status %d, %s%s", code, out, errs)
	}
}

// testUsersJob has a user with no rights but its own put a file into its home and run a job over it.
func testUsersJob(t *testing.T, c *testCluster) {
	t.Helper()
	slave := c.boxes["slave1"]
	text, want := words(500)
	slave.put("/tmp/users-words.txt", []byte(text))
	slave.as("spark", "hadoop", "fs", "-put", "/tmp/users-words.txt", "words.txt")
	slave.as("spark", "hadoop", "jar", "/usr/lib/hadoop/hadoop-examples-1.2.1.jar", "wordcount", "words.txt", "words-counted")
	slave.as("spark", "hadoop", "fs", "-test", "-e", "/user/spark/words-counted/_SUCCESS")
	if got := slave.as("spark", "hadoop", "fs", "-cat", "/user/spark/words-counted/part-r-*"); got != want {
		t.Errorf("a user's job counted\n%s\nwant\n%s", got, want)
	}
	if _, errs, code := slave.run("setpriv", "--reuid", "spark", "--regid", "spark", "--init-groups", "--reset-env", "--", "hadoop", "fs", "-put", "/tmp/users-words.txt", "/user/mapred/x"); code == 0 || !strings.Contains(errs, "Permission denied: user=spark") {
		t.Errorf("a user writes into another's home: exit status %d, %s", code, errs)
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

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/store"
)

// schedulerRepository makes a git repository of a small project, which is built against Mesos's and Hadoop's own
// libraries as hadoop-mesos is, and returns its folder and the id of its commit.
func schedulerRepository(t *testing.T) (dir, commit string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "scheduler")
	if err := os.CopyFS(dir, os.DirFS("../../builder/source/mavenbuild/testdata/project")); err != nil {
		t.Fatal(err)
	}
	return dir, commitAll(t, dir)
}

// commitAll commits what is in dir and returns the commit's id.
func commitAll(t *testing.T, dir string) string {
	t.Helper()
	const script = `set -e
[ -d .git ] || git init --quiet --initial-branch=main
git add .
git -c user.name=a -c user.email=a@example.org commit --quiet --message=change
git rev-parse HEAD`
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		missing(t, "git: "+err.Error()+"\n"+string(out))
	}
	return strings.TrimSpace(string(out))
}

// buildsFrom names in forge.yaml what hadoop-mesos is built of.
func (f *forge) buildsFrom(repository, commit, more string) {
	f.t.Helper()
	text := fmt.Sprintf("builds:\n  hadoop-mesos:\n    repository: %q\n    commit: %q\n%s", repository, commit, more)
	if err := os.WriteFile(filepath.Join(f.checkout, "forge.yaml"), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// refuses runs a command and wants it to fail and to say all of want.
func (f *forge) refuses(command string, want ...string) {
	f.t.Helper()
	out, errs, code := f.run(strings.Fields(command)...)
	if code != 1 || out != "" {
		f.t.Errorf("forge %s: exit status %d, output %q; want 1", command, code, out)
	}
	for _, w := range want {
		if !strings.Contains(errs, w) {
			f.t.Errorf("forge %s: %q; want %q", command, errs, w)
		}
	}
}

// TestMavenBuild builds hadoop-mesos of cdh5 from a commit that settings name, with a project of ours in its place:
// forge lock pins the jar and all that its build takes from Maven repositories; then builds take no other, without a network,
// and another store that has nothing of it comes to the same jar.
func TestMavenBuild(t *testing.T) {
	if _, err := exec.LookPath("mvn"); err != nil {
		missing(t, err.Error())
	}
	repository, commit := schedulerRepository(t)
	f := newForge(t)
	f.flags = []string{"--stack", "cdh5", "--only", "packages", "--role", "master"}
	for _, name := range []string{"hadoop-mesos", "hadoop-archive"} {
		f.edit("recipes/cdh5/components/"+name+".yaml", `target/hadoop-mesos-0\.0\.8\.jar`, "target/idle-scheduler-*.jar")
	}
	f.buildsFrom(repository, commit, "")
	f.refuses("build", "artifact hadoop-mesos/hadoop-mesos (maven-build pkg:generic/hadoop-mesos@"+commit+") is not pinned by", "forge lock --stack cdh5 pins it")
	f.refuses("lock --quiet", "setting builds.hadoop-mesos: the build wants JDK 8, and the host has ", "apt install openjdk-8-jdk-headless", "java_home")
	for _, name := range []string{"hadoop-mesos", "hadoop-archive"} {
		f.edit("recipes/cdh5/components/"+name+".yaml", `jdk: "8"`, `jdk: "17"`)
	}
	f.edit("recipes/cdh5/forge.lock", `(?s)\npackages:.*`, "\n") // those with a stand-in of the jar
	f.refuses("lock --quiet --offline", "project hadoop-mesos: the store has not got all files", "without --offline")
	if _, errs, code := f.run("lock", "--quiet"); code != 0 {
		t.Fatalf("forge lock: exit status %d\n%s", code, errs)
	}
	l, err := lock.Read(filepath.Join(f.checkout, "recipes/cdh5/forge.lock"))
	if err != nil {
		t.Fatal(err)
	}
	jar, ok := l.Artifact("hadoop-mesos/hadoop-mesos")
	if other, _ := l.Artifact("hadoop-archive/hadoop-mesos"); !ok || other.SHA256 != jar.SHA256 || jar.File != "idle-scheduler-0.1.0.jar" || jar.Kind != "maven-build" {
		t.Errorf("lock has %+v, %+v", jar, other)
	}
	mesos := func(file lock.BuildFile) bool {
		return file.Path == "org/apache/mesos/mesos/1.11.0/mesos-1.11.0.jar"
	}
	if !slices.ContainsFunc(l.Builds["hadoop-mesos"], mesos) {
		t.Errorf("lock has %d files of the build, without Mesos's", len(l.Builds["hadoop-mesos"]))
	}

	res := f.build("--locked", "--offline")
	if got := res.Roles[0].StandIns; slices.Contains(got, "forge-hadoop-mesos") {
		t.Errorf("stand-ins %v, in spite of the build", got)
	}
	checkBuiltJar(t, f, jar.SHA256)
	f.store = filepath.Join(f.dir, "store-2")
	f.out = filepath.Join(f.dir, "out-2")
	f.build("--locked")
	checkBuiltJar(t, f, jar.SHA256)

	checkBuildRefusals(t, f, repository, commit)
}

// checkBuiltJar looks for the jar in the package.
func checkBuiltJar(t *testing.T, f *forge, sha256 string) {
	t.Helper()
	debs, err := filepath.Glob(filepath.Join(f.out, "debs/forge-hadoop-mesos_0.0.8-1_*.deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("packages %v, %v", debs, err)
	}
	root := t.TempDir()
	if out, err := exec.Command("dpkg-deb", "--extract", debs[0], root).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v\n%s", err, out)
	}
	jar, err := os.Open(filepath.Join(root, "usr/lib/hadoop-0.20-mapreduce/lib/idle-scheduler-0.1.0.jar"))
	if err != nil {
		t.Fatal(err)
	}
	defer jar.Close()
	if d, _, err := store.DigestReader(jar); err != nil || d.Hex() != sha256 {
		t.Errorf("the package's jar has digest %s, %v; the lock has %s", d, err, sha256)
	}
}

// checkBuildRefusals wants settings and repositories that are wrong told by name.
func checkBuildRefusals(t *testing.T, f *forge, repository, commit string) {
	source := filepath.Join(repository, "src/main/java/org/example/mesos/IdleScheduler.java")
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(source, regexp.MustCompile(`conf\.get`).ReplaceAll(text, []byte("cnf.get")), 0o644); err != nil {
		t.Fatal(err)
	}
	broken := commitAll(t, repository)
	f.buildsFrom(repository, broken, "")
	f.refuses("build --locked", "is not pinned by", "(its line is for maven-build pkg:generic/hadoop-mesos@"+commit+")")
	f.refuses("lock --quiet", "project hadoop-mesos: mvn package failed", "cannot find symbol", "To repeat it: git clone "+repository+" hadoop-mesos && cd hadoop-mesos && git checkout "+broken)
	f.buildsFrom(repository, strings.Repeat("0", 40), "")
	f.refuses("lock --quiet", "builds.hadoop-mesos: repository "+repository+" has no commit 0000", "rewritten")
	f.buildsFrom(repository+"-nosuch", strings.Repeat("1", 40), "")
	f.refuses("lock --quiet", "git can't fetch "+repository+"-nosuch", "git ls-remote")
	f.buildsFrom(repository, "main", "")
	f.refuses("plan", "setting builds.hadoop-mesos: commit \"main\" is not a commit's full id", "branches and tags move")
	f.buildsFrom(repository, broken, "    java_home: /nonexistent/jdk\n")
	f.refuses("lock --quiet", "setting builds.hadoop-mesos: /nonexistent/jdk is not the folder of a JDK")
	f.buildsFrom(repository, commit, "  hadop-mesos:\n    repository: /x\n    commit: x\n")
	f.refuses("plan", "setting builds.hadop-mesos: the stack cdh5 has no artifact of that name that is built; it builds hadoop-mesos")
	if err := os.MkdirAll(f.vendor, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.vendor, "hadoop-mesos-0.0.8.jar"), []byte("jar"), 0o644); err != nil {
		t.Fatal(err)
	}
	f.buildsFrom(repository, broken, "")
	f.refuses("lock --quiet", "hadoop-mesos-0.0.8.jar is in "+f.vendor, "take one of them away")
}

package maven_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/source/maven"
	"github.com/mesos-forge/forge/builder/store"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

func TestCoordinates(t *testing.T) {
	for s, want := range map[string]string{
		"org.apache.hadoop:hadoop-core:1.2.1":        "hadoop-core-1.2.1.jar pkg:maven/org.apache.hadoop/hadoop-core@1.2.1",
		"org.mortbay.jetty:servlet-api:2.5-20081211": "servlet-api-2.5-20081211.jar pkg:maven/org.mortbay.jetty/servlet-api@2.5-20081211",
		"g:a:1:tests":      "a-1-tests.jar pkg:maven/g/a@1?classifier=tests",
		"g:a:1:bin:tar.gz": "a-1-bin.tar.gz pkg:maven/g/a@1?classifier=bin&type=tar.gz",
		"g:a:1::war":       "a-1.war pkg:maven/g/a@1?type=war",
	} {
		c, err := maven.Parse(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if got := c.File() + " " + c.Purl(); got != want || c.String() != s {
			t.Errorf("%s: got %s, %s", s, got, c)
		}
	}
	for _, s := range []string{
		"", "a", "g:a", "g:a:1:", "g::1", "g:a:1:c:t:x", "g:a:1.0-SNAPSHOT", "g:a:LATEST", "g:a:RELEASE", "g:a:[1,2)",
		"g:a:1/..", "../g:a:1", "g:a:1..2", "g:a:1:c:", "g:a:<b>", "g:a: 1", "g:-a:1",
	} {
		if c, err := maven.Parse(s); err == nil {
			t.Errorf("%q is taken: %+v", s, c)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("g:a:1")
	f.Add("g:a:1::war")
	f.Add("a.b:c-d:1.2-3:x:tar.gz")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := maven.Parse(s)
		if err != nil {
			return
		}
		again, err := maven.Parse(c.String())
		if err != nil || again != c {
			t.Errorf("%q: %+v, %+v, %v", s, c, again, err)
		}
		if name := c.File(); filepath.Base(name) != name || strings.Contains(name, "..") {
			t.Errorf("%q: file %q", s, name)
		}
	})
}

// wants reads a list of coordinates and digests.
func wants(t *testing.T, c *maven.Client, name string) []source.Want {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out []source.Want
	for l := range strings.Lines(string(b)) {
		coords, digest, _ := strings.Cut(strings.TrimSpace(l), " ")
		co, err := maven.Parse(coords)
		if err != nil {
			t.Fatal(err)
		}
		a := source.Artifact{Name: coords, File: co.File(), Digest: store.Digest("sha256:" + digest)}
		out = append(out, source.Want{Artifact: a, Places: []source.Source{c.Artifact(co)}})
	}
	return out
}

func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestHadoop fetches what Hadoop 1.2.1 is put together from, with the machine's own mvn and settings.
func TestHadoop(t *testing.T) {
	if _, err := exec.LookPath("mvn"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	blobs := openStore(t)
	c := &maven.Client{Temp: filepath.Join(blobs.Dir(), "tmp")}
	want := wants(t, c, "testdata/hadoop-1.2.1.txt")
	got, err := source.FetchAll(context.Background(), want, blobs, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range got {
		if r.Digest != want[i].Artifact.Digest || r.Size == 0 || r.File != want[i].Artifact.File {
			t.Errorf("%s: %+v", want[i].Artifact.Name, r)
		}
		if _, err := blobs.BlobPath(r.Digest); err != nil {
			t.Error(err)
		}
	}
	// A digest that is another one, and an artifact that is not there, beside a good one.
	coords, err := maven.Parse("commons-cli:commons-cli:1.2")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Artifact(coords).Fetch(context.Background(), source.Artifact{Name: "x/cli", Digest: store.DigestOf(nil)}, blobs)
	var mismatch *store.DigestError
	if !errors.As(err, &mismatch) || mismatch.From != "maven commons-cli:commons-cli:1.2" || !strings.Contains(err.Error(), "local repository") {
		t.Errorf("got %v", err)
	}
	nosuch, err := maven.Parse("commons-cli:commons-cli:1.2-nosuch")
	if err != nil {
		t.Fatal(err)
	}
	items := []source.Item{
		{Artifact: source.Artifact{Name: "x/no"}, Source: c.Artifact(nosuch)},
		{Artifact: source.Artifact{Name: "x/cli"}, Source: c.Artifact(coords)},
	}
	answers := c.Artifact(nosuch).FetchBatch(context.Background(), items, blobs)
	if !errors.Is(answers[0].Err, source.ErrNotFound) || answers[1].Err != nil || answers[1].Result.File != "commons-cli-1.2.jar" {
		t.Errorf("got %+v", answers)
	}
}

// fakeMvn is a program in place of mvn.
func fakeMvn(t *testing.T, script string) *maven.Client {
	t.Helper()
	name := filepath.Join(t.TempDir(), "mvn")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return &maven.Client{Program: name, Temp: t.TempDir()}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		name, script string
		want         []string
		notFound     bool
	}{
		{"network", `echo "[ERROR] Plugin x could not be resolved: Could not transfer artifact x:y:pom:1 from/to central (u): repo.invalid: Unknown host repo.invalid -> [Help 1]"
echo "[ERROR] To see the full stack trace"; exit 1`, []string{"Could not transfer artifact x:y:pom:1", "~/.m2/settings.xml", "--offline", "exit status 1"}, false},
		{"colours", `printf '\033[0m\033[0m[ERROR] Could not create local repository at /root/.m2 -> [Help 1]\n[ERROR]\n[ERROR] To see the full stack trace\n'; exit 1`,
			[]string{"maven: Could not create local repository at /root/.m2 (mvn: exit status 1)"}, false},
		{"home", `echo "[ERROR] $MAVEN_OPTS"; exit 1`, []string{"maven: -Duser.home=" + os.Getenv("HOME") + " "}, false},
		{"plugin is absent", `echo "[ERROR] Plugin p could not be resolved: Could not find artifact p:p:jar:1 in r (u)"; exit 1`, []string{"Could not find artifact p:p:jar:1"}, false},
		{"artifact is absent", `echo "[ERROR] Could not find artifact g:a:jar:1 in r (u)"; exit 1`, []string{"no repository has g:a:1"}, true},
		{"answer of yesterday", `echo "[ERROR] g:a:jar:1 was not found in u during a previous attempt."; exit 1`, []string{"no repository has g:a:1"}, true},
		{"no message", `echo oops; exit 7`, []string{"maven: oops", "exit status 7"}, false},
		{"does nothing", `exit 0`, []string{"x/a", "no such file"}, false},
		{"link", `d=$(sed -n 's,.*<outputDirectory>\(.*\)</out.*,\1,p' "$6"); mkdir -p $d; ln -s /etc/passwd $d/a-1.jar`, []string{"not a regular file"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := fakeMvn(t, tt.script)
			co, err := maven.Parse("g:a:1")
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Artifact(co).Fetch(context.Background(), source.Artifact{Name: "x/a"}, openStore(t))
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error lacks %q: %v", w, err)
				}
			}
			if errors.Is(err, source.ErrNotFound) != tt.notFound {
				t.Errorf("not found: %v", err)
			}
			if left, _ := filepath.Glob(c.Temp + "/*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestNoMvn(t *testing.T) {
	c := &maven.Client{Program: "no-such-mvn"}
	co, err := maven.Parse("g:a:1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Artifact(co).Fetch(context.Background(), source.Artifact{Name: "x"}, openStore(t))
	if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "apt install maven") {
		t.Errorf("got %v", err)
	}
}

func TestInterrupted(t *testing.T) {
	c := fakeMvn(t, "sleep 60\n")
	ctx, cancel := context.WithCancel(context.Background())
	run := func(ctx context.Context, s sandbox.Spec) error {
		cancel()
		return sandbox.Run(ctx, s)
	}
	c.Run = run
	co, err := maven.Parse("g:a:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Artifact(co).Fetch(ctx, source.Artifact{Name: "x"}, openStore(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestTwoGroups has two artifacts whose files have one name.
func TestTwoGroups(t *testing.T) {
	c := fakeMvn(t, `sed -n 's,.*<outputDirectory>\(.*\)</out.*,\1,p' "$6" | while read d; do mkdir -p $d; echo $(basename $d) > $d/a-1.jar; done`)
	blobs := openStore(t)
	var items []source.Item
	for _, g := range []string{"g", "h"} {
		co, err := maven.Parse(g + ":a:1")
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, source.Item{Artifact: source.Artifact{Name: g}, Source: c.Artifact(co)})
	}
	for i, a := range items[0].Source.(maven.Source).FetchBatch(context.Background(), items, blobs) {
		if want := store.DigestOf(fmt.Appendf(nil, "%d\n", i)); a.Err != nil || a.Result.Digest != want {
			t.Errorf("%d: %+v", i, a)
		}
	}
}

package git_test

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/source/git"
	"github.com/mesos-forge/forge/builder/store"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// run runs git in dir, with nothing of the machine's settings, and returns what it prints.
func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_AUTHOR_DATE=2014-06-01T12:00:00Z",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org", "GIT_COMMITTER_DATE=2014-06-02T12:00:00Z"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), mode)); err != nil {
		t.Fatal(err)
	}
}

// repository makes one with two commits and returns its folder and their ids. Its attributes would change
// what git archive writes.
func repository(t *testing.T) (dir, first, second string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir = filepath.Join(t.TempDir(), "project")
	write(t, filepath.Join(dir, ".gitattributes"), "hidden export-ignore\nsubst export-subst\n*.txt eol=crlf\n*.sec filter=steal\n", 0o644)
	write(t, filepath.Join(dir, "hidden"), "there\n", 0o644)
	write(t, filepath.Join(dir, "subst"), "$Format:%d$\n", 0o644)
	write(t, filepath.Join(dir, "src/a.txt"), "one\ntwo\n", 0o644)
	write(t, filepath.Join(dir, "run"), "#!/bin/sh\n", 0o755)
	write(t, filepath.Join(dir, "x.sec"), "plain\n", 0o644)
	if err := os.Symlink("src/a.txt", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "init", "--quiet", "--initial-branch=main")
	run(t, dir, "add", ".")
	run(t, dir, "commit", "--quiet", "--message=first")
	first = run(t, dir, "rev-parse", "HEAD")
	write(t, filepath.Join(dir, "second"), "2\n", 0o644)
	run(t, dir, "add", ".")
	run(t, dir, "commit", "--quiet", "--message=second")
	return dir, first, run(t, dir, "rev-parse", "HEAD")
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

func client(blobs *store.Store, env ...string) *git.Client {
	return &git.Client{Temp: filepath.Join(blobs.Dir(), "tmp"), Env: append([]string{"HOME=/nonexistent", "PATH=" + os.Getenv("PATH")}, env...)}
}

// listing is one line for each entry of a tar.
func listing(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out strings.Builder
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s %o %d:%d %s %q\n", h.Name, h.Mode, h.Uid, h.Gid, h.ModTime.UTC().Format("2006-01-02T15:04"), string(text)+h.Linkname)
	}
}

const wantFirst = `.gitattributes 644 0:0 2014-06-02T12:00 "hidden export-ignore\nsubst export-subst\n*.txt eol=crlf\n*.sec filter=steal\n"
hidden 644 0:0 2014-06-02T12:00 "there\n"
link 777 0:0 2014-06-02T12:00 "src/a.txt"
run 755 0:0 2014-06-02T12:00 "#!/bin/sh\n"
src/ 755 0:0 2014-06-02T12:00 ""
src/a.txt 644 0:0 2014-06-02T12:00 "one\ntwo\n"
subst 644 0:0 2014-06-02T12:00 "$Format:%d$\n"
x.sec 644 0:0 2014-06-02T12:00 "plain\n"
`

// TestTree fetches a commit that no branch ends in, in several ways, and wants the same bytes: by its id alone, from a
// server that gives only branches, with settings of the user's that would change files or run programs, and
// from inside a hook of another repository.
func TestTree(t *testing.T) {
	dir, first, _ := repository(t)
	blobs := openStore(t)
	bad := filepath.Join(t.TempDir(), "ran")
	hooks := t.TempDir()
	write(t, filepath.Join(hooks, "reference-transaction"), "#!/bin/sh\ntouch "+bad+"\n", 0o755)
	cases := map[string][]string{
		"alone":    nil,
		"branches": {"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=protocol.version", "GIT_CONFIG_VALUE_0=0"},
		"settings": {"GIT_CONFIG_COUNT=3", "GIT_CONFIG_KEY_0=filter.steal.smudge", "GIT_CONFIG_VALUE_0=touch " + bad,
			"GIT_CONFIG_KEY_1=core.autocrlf", "GIT_CONFIG_VALUE_1=true", "GIT_CONFIG_KEY_2=core.hooksPath", "GIT_CONFIG_VALUE_2=" + hooks},
		"hook": {"GIT_DIR=/nonexistent", "GIT_WORK_TREE=/", "GIT_INDEX_FILE=/nonexistent/index"},
	}
	digests := map[store.Digest]string{}
	for name, env := range cases {
		for _, url := range []string{dir, "file://" + dir} {
			src := client(blobs, env...).Tree(git.Commit{Repository: url, ID: first})
			r, err := src.Fetch(context.Background(), source.Artifact{Name: "x/project"}, blobs)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if r.File != first+".tar" || !strings.Contains(r.From, url) {
				t.Errorf("%s: %+v", name, r)
			}
			digests[r.Digest] = name
		}
	}
	if len(digests) != 1 {
		t.Errorf("one commit has several digests: %v", digests)
	}
	for d := range digests {
		path, err := blobs.BlobPath(d)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wantFirst, listing(t, path)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	if _, err := os.Stat(bad); err == nil {
		t.Error("a hook or a filter was run")
	}
}

// TestRefusals wants each wrong commit and repository told by name.
func TestRefusals(t *testing.T) {
	dir, first, second := repository(t)
	tag := func() string {
		run(t, dir, "tag", "--annotate", "--message=v1", "v1")
		return run(t, dir, "rev-parse", "v1")
	}()
	// The branch is rewritten, and what it held is thrown away.
	run(t, dir, "tag", "--delete", "v1")
	run(t, dir, "reset", "--hard", "--quiet", first)
	run(t, dir, "reflog", "expire", "--expire=now", "--all")
	run(t, dir, "tag", "--annotate", "--message=v2", "v2")
	tag2 := run(t, dir, "rev-parse", "v2")
	run(t, dir, "gc", "--quiet", "--prune=now")
	blobs := openStore(t)
	for _, c := range []struct{ repository, id, want string }{
		{dir, second, "has no commit " + second + " on any branch or tag: the id is wrong, or the branch that had it was rewritten"},
		{dir, tag, "has no commit"},
		{dir, tag2, "is a tag, not a commit"},
		{dir, run(t, dir, "rev-parse", first+"^{tree}"), "is a tree, not a commit"},
		{dir, "main", "branches and tags move"},
		{dir, first[:12], "is not a commit's full id"},
		{dir, strings.ToUpper(first), "is not a commit's full id"},
		{dir + "-nosuch", first, "git can't fetch " + dir + "-nosuch"},
		{"https://127.0.0.1:1/project.git", first, "git ls-remote https://127.0.0.1:1/project.git"},
		{"http://127.0.0.1:1/project.git", first, "want a URL with file, ssh, https"},
		{"ext::sh -c true", first, "is not a URL"},
		{"ext::true", first, "git's helpers are not used"},
		{"https://me:secret@127.0.0.1/x", first, "https://me:xxxxx@127.0.0.1/x holds a password"},
		{"--upload-pack=true", first, "neither a URL"},
		{"-oProxyCommand=true:x", first, "neither a URL"},
		{"ssh://-oProxyCommand=true/x", first, "want a URL"},
		{"relative/path", first, "neither a URL"},
		{"", first, "is not a URL"},
	} {
		src := client(blobs).Tree(git.Commit{Repository: c.repository, ID: c.id})
		_, err := src.Fetch(context.Background(), source.Artifact{Name: "x/project"}, blobs)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s %s: %v; want %q", c.repository, c.id, err, c.want)
		}
	}
	// A setting of the user's that leads to a protocol that runs programs.
	bad := filepath.Join(t.TempDir(), "ran")
	rewrite := client(blobs, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url.ext::touch "+bad+" .insteadOf", "GIT_CONFIG_VALUE_0=https://example.invalid/")
	_, err := rewrite.Tree(git.Commit{Repository: "https://example.invalid/x", ID: first}).Fetch(context.Background(), source.Artifact{Name: "x"}, blobs)
	if err == nil || !strings.Contains(err.Error(), "transport 'ext' not allowed") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(bad); err == nil {
		t.Error("a program was run")
	}
	// A digest in the lock that is another one.
	_, err = client(blobs).Tree(git.Commit{Repository: dir, ID: first}).Fetch(context.Background(), source.Artifact{Name: "x", Digest: store.DigestOf(nil)}, blobs)
	var mismatch *store.DigestError
	if !errors.As(err, &mismatch) {
		t.Errorf("got %v", err)
	}
}

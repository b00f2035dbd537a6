package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

func secretImage() *Image {
	return &Image{Components: map[string]Component{
		"azkaban": {Name: "azkaban", Secrets: []Secret{{Name: "azkaban-db", Shared: true}, {Name: "azkaban-web"}}},
		"mariadb": {Name: "mariadb", Secrets: []Secret{{Name: "azkaban-db"}}},
	}}
}

// putSecret writes a secret as a seed does, and returns its file.
func putSecret(t *testing.T, n *Node, name, content string, mode fs.FileMode) string {
	t.Helper()
	file := n.path(filepath.Join(SecretsDir, name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSecretFromSeed(t *testing.T) {
	n := &Node{Root: t.TempDir()}
	file := putSecret(t, n, "azkaban-db", "s3cr€t pass\n", 0o400)
	before, _ := os.Stat(file)
	for range 2 {
		if got, err := n.Secret(secretImage(), "azkaban-db"); err != nil || got != "s3cr€t pass" {
			t.Errorf("%q, %v", got, err)
		}
	}
	if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("reading changed the file: %v, %v", after, err)
	}
}

func TestSecretIsMadeOnce(t *testing.T) {
	n := &Node{Root: t.TempDir()}
	if _, err := n.ReadSecret("azkaban-web"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("before: %v", err)
	}
	// What a killed run left.
	putSecret(t, n, ".forge-new.azkaban-web", "half", 0o600)
	got := make([]string, 8)
	var wait sync.WaitGroup
	first, err := n.Secret(secretImage(), "azkaban-web")
	if err != nil || !regexp.MustCompile(`^[0-9A-Za-z]{32}$`).MatchString(first) {
		t.Fatalf("%d characters, %v", len(first), err)
	}
	for i := range got {
		wait.Go(func() { got[i], _ = n.Secret(secretImage(), "azkaban-web") })
	}
	wait.Wait()
	for _, g := range got {
		if g != first {
			t.Error("made again")
		}
	}
	dir := n.path(SecretsDir)
	fi, err := os.Stat(filepath.Join(dir, "azkaban-web"))
	if err != nil || fi.Mode() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	other := &Node{Root: t.TempDir()}
	if again, err := other.Secret(secretImage(), "azkaban-web"); err != nil || again == first {
		t.Errorf("another node has the same secret (%v)", err)
	}
	if fi, err := os.Stat(other.path(SecretsDir)); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", fi, err)
	}
}

func TestSecretRefusals(t *testing.T) {
	const value = "hunter2hunter2"
	for _, c := range []struct {
		name, secret string
		prepare      func(t *testing.T, n *Node)
		want         string
	}{
		{"not declared", "azkaban-bd", nil, `no component of this image declares the secret "azkaban-bd"; did you mean "azkaban-db"?; declared: azkaban-db, azkaban-web`},
		{"shared and not there", "azkaban-db", nil, "the secret azkaban-db, which all nodes share, is not there: /etc/forge/secrets/azkaban-db does not exist; bring it with the seed: forge seed --all makes one"},
		{"readable", "azkaban-db", func(t *testing.T, n *Node) { putSecret(t, n, "azkaban-db", value, 0o640) },
			"/etc/forge/secrets/azkaban-db has the mode 0640, which lets others use it; change it, after asking who read it: chmod 0600 /etc/forge/secrets/azkaban-db"},
		{"two lines", "azkaban-db", func(t *testing.T, n *Node) { putSecret(t, n, "azkaban-db", value+"\nx\n", 0o600) }, "the secret azkaban-db is not one line of text"},
		{"NUL", "azkaban-db", func(t *testing.T, n *Node) { putSecret(t, n, "azkaban-db", value+"\x00", 0o600) }, "is not one line of text"},
		{"empty", "azkaban-db", func(t *testing.T, n *Node) { putSecret(t, n, "azkaban-db", "\n", 0o600) }, "the secret azkaban-db is empty"},
		{"empty, and not shared", "azkaban-web", func(t *testing.T, n *Node) { putSecret(t, n, "azkaban-web", "", 0o600) }, "the secret azkaban-web is empty"},
		{"large", "azkaban-db", func(t *testing.T, n *Node) { putSecret(t, n, "azkaban-db", strings.Repeat("x", 1<<20), 0o600) }, "is larger than 1026 bytes"},
		{"too long", "azkaban-db", func(t *testing.T, n *Node) { putSecret(t, n, "azkaban-db", strings.Repeat("x", 1025), 0o600) }, "has 1025 bytes, more than 1024"},
		{"link", "azkaban-db", func(t *testing.T, n *Node) {
			file := putSecret(t, n, "azkaban-db", value, 0o600)
			if err := errors.Join(os.Rename(file, file+".real"), os.Symlink(file+".real", file)); err != nil {
				t.Fatal(err)
			}
		}, "/etc/forge/secrets/azkaban-db is a link"},
		{"directory", "azkaban-db", func(t *testing.T, n *Node) {
			if err := os.MkdirAll(n.path(SecretsDir+"/azkaban-db"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "is not a regular file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := &Node{Root: t.TempDir()}
			if c.prepare != nil {
				c.prepare(t, n)
			}
			got, err := n.Secret(secretImage(), c.secret)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v; want %q", err, c.want)
			}
			if got != "" && strings.Contains(err.Error(), got) || strings.Contains(err.Error(), value) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

func TestSecretNames(t *testing.T) {
	n := &Node{Root: t.TempDir()}
	for _, name := range []string{"", ".", "..", "../x", "a/b", "A", "a_b", "-a", "a-", strings.Repeat("a", 64), "a\n"} {
		if _, err := n.ReadSecret(name); err == nil || !strings.Contains(err.Error(), "is not the name of a secret; use a-z, 0-9 and inner hyphens") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

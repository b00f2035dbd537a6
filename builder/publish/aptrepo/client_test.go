package aptrepo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// client is the host's apt and dpkg with a root of their own, and the repository as their only source.
type client struct {
	t   *testing.T
	dir string
}

func newClient(t *testing.T, url, suite string, key []byte) *client {
	t.Helper()
	c := &client{t, t.TempDir()}
	for _, dir := range []string{"etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "etc/apt/trusted.gpg.d", "etc/apt/keyrings", "var/lib/apt/lists/partial",
		"var/cache/apt/archives/partial", "var/log/apt", "var/lib/dpkg/updates", "var/lib/dpkg/info"} {
		if err := os.MkdirAll(filepath.Join(c.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	keyring := filepath.Join(c.dir, "etc/apt/keyrings/forge.asc")
	for name, text := range map[string]string{"var/lib/dpkg/status": "", "etc/apt/keyrings/forge.asc": string(key),
		"etc/apt/sources.list.d/forge.sources": fmt.Sprintf("Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n", url, suite, keyring),
		"apt.conf": fmt.Sprintf(`Dir "%s"; Dir::State::status "%[1]s/var/lib/dpkg/status"; APT::Architecture "amd64"; APT::Architectures "amd64"; APT::Sandbox::User "root";
DPkg::Options { "--root=%[1]s"; "--force-not-root"; "--force-unsafe-io"; }; DPkg::Use-Pty "false"; Acquire::Retries "0"; Acquire::Languages "none";
`, c.dir)} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// apt runs apt-get; what it says is returned with its exit status in the error.
func (c *client) apt(args ...string) (string, error) {
	cmd := exec.Command("apt-get", append([]string{"-y"}, args...)...)
	cmd.Env = []string{"APT_CONFIG=" + filepath.Join(c.dir, "apt.conf"), "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *client) must(args ...string) string {
	c.t.Helper()
	out, err := c.apt(args...)
	if err != nil || strings.Contains(out, "W:") || strings.Contains(out, "E:") {
		c.t.Fatalf("apt-get %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// installed is the content of the file of a package.
func (c *client) installed(name string) string {
	c.t.Helper()
	b, err := os.ReadFile(filepath.Join(c.dir, "usr/share", name, "file"))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}

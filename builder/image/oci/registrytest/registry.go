// Package registrytest runs Debian's docker-registry for tests, on loopback.
package registrytest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Registry is one that runs.
type Registry struct {
	Host string // "127.0.0.1:40000"
	Dir  string // what it keeps
}

// patience is how long a registry may take until it answers.
const patience = 20 * time.Second

// Start runs a registry until the test ends. Without the program, a test in CI fails and others skip.
func Start(t testing.TB) Registry {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("missing: Debian's package docker-registry")
	} else if err != nil {
		t.Skip("missing: Debian's package docker-registry")
	}
	r := Registry{Host: freeAddress(t), Dir: t.TempDir()}
	config := filepath.Join(t.TempDir(), "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage:\n  filesystem: {rootdirectory: %s}\nhttp:\n  addr: %s\n", r.Dir, r.Host)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(program, "serve", config)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("docker-registry:\n%s", said.String())
		}
	})
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if answer, err := client.Get("http://" + r.Host + "/v2/"); err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			return r
		}
	}
	t.Fatalf("docker-registry doesn't answer at %s", r.Host)
	return r
}

// freeAddress is one of loopback that nobody listened on a moment ago.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Blob is the file in which the registry keeps a blob; digest is "sha256:<64 hex>".
func (r Registry) Blob(digest string) string {
	hex := digest[len("sha256:"):]
	return filepath.Join(r.Dir, "docker/registry/v2/blobs/sha256", hex[:2], hex, "data")
}

package oci

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// debianRegistry says how Debian's docker-registry is run.
type debianRegistry struct {
	htpasswd  string // its content; "": no authentication
	cert, key string // files; "": http
}

// startDebianRegistry runs Debian's docker-registry on loopback and returns its address.
func startDebianRegistry(t *testing.T, r debianRegistry) (host string) {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		missing(t, "Debian's package docker-registry")
	}
	dir := t.TempDir()
	host = freeAddress(t)
	config := fmt.Sprintf("version: 0.1\nlog: {level: warn, accesslog: {disabled: true}}\nstorage:\n  filesystem: {rootdirectory: %s/data}\n  delete: {enabled: true}\nhttp:\n  addr: %s\n", dir, host)
	if r.cert != "" {
		config += fmt.Sprintf("  tls: {certificate: %s, key: %s}\n", r.cert, r.key)
	}
	if r.htpasswd != "" {
		must(t, os.WriteFile(filepath.Join(dir, "htpasswd"), []byte(r.htpasswd), 0o600))
		config += fmt.Sprintf("auth:\n  htpasswd: {realm: test, path: %s/htpasswd}\n", dir)
	}
	must(t, os.WriteFile(filepath.Join(dir, "config.yml"), []byte(config), 0o600))
	var said bytes.Buffer
	cmd := exec.Command(program, "serve", filepath.Join(dir, "config.yml"))
	cmd.Stdout, cmd.Stderr = &said, &said
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the end of docker-registry's log:\n%s", said.Bytes()[max(0, said.Len()-2000):])
		}
	})
	scheme := "http"
	if r.cert != "" {
		scheme = "https"
	}
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // whoever answers
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		answer, err := client.Get(scheme + "://" + host + "/v2/")
		if err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			client.CloseIdleConnections()
			return host
		}
	}
	t.Fatalf("docker-registry doesn't answer at %s", host)
	return ""
}

// freeAddress is one of loopback that nobody listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return strings.Replace(l.Addr().String(), "[::1]", "127.0.0.1", 1)
}

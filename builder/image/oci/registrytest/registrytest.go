// Package registrytest runs Debian's docker-registry for tests, with accounts and TLS where they want them.
package registrytest

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// Registry says how docker-registry is run. The zero value lets everybody in, by http.
type Registry struct {
	Account, Password string     // "": no authentication
	Authority         *Authority // nil: http
	Data              string     // folder for what it keeps; "": one that nobody knows
}

// Start runs docker-registry on loopback until the test ends, and returns its address.
func (r Registry) Start(t testing.TB) (host string) {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		const missing = "missing: Debian's package docker-registry"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	host = freeAddress(t)
	config, err := r.configure(t, host)
	must(t, err)
	var said bytes.Buffer
	cmd := exec.Command(program, "serve", config)
	cmd.Stdout, cmd.Stderr = &said, &said
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the end of docker-registry's log:\n%s", said.Bytes()[max(0, said.Len()-2000):])
		}
	})
	r.await(t, host)
	return host
}

// configure writes the registry's files and returns the path of its configuration.
func (r Registry) configure(t testing.TB, host string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	data := r.Data
	if data == "" {
		data = filepath.Join(dir, "data")
	}
	config := fmt.Sprintf("version: 0.1\nlog: {level: warn, accesslog: {disabled: true}}\nstorage:\n  filesystem: {rootdirectory: %s}\n"+
		"  delete: {enabled: true}\nhttp:\n  addr: %s\n", data, host)
	if r.Authority != nil {
		cert, key := r.Authority.Issue(t)
		config += fmt.Sprintf("  tls: {certificate: %s, key: %s}\n", cert, key)
	}
	if r.Account != "" {
		hashed, err := bcrypt.GenerateFromPassword([]byte(r.Password), bcrypt.MinCost)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, "htpasswd"), fmt.Appendf(nil, "%s:%s\n", r.Account, hashed), 0o600); err != nil {
			return "", err
		}
		config += fmt.Sprintf("auth:\n  htpasswd: {realm: test, path: %s/htpasswd}\n", dir)
	}
	path := filepath.Join(dir, "config.yml")
	return path, os.WriteFile(path, []byte(config), 0o600)
}

func (r Registry) await(t testing.TB, host string) {
	t.Helper()
	scheme := "http"
	if r.Authority != nil {
		scheme = "https"
	}
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // whoever answers
	defer client.CloseIdleConnections()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if answer, err := client.Get(scheme + "://" + host + "/v2/"); err == nil {
			must(t, answer.Body.Close())
			return
		}
	}
	t.Fatalf("docker-registry doesn't answer at %s", host)
}

// DockerConfig makes a folder for DOCKER_CONFIG with what "docker login" leaves in it.
func DockerConfig(t testing.TB, host, account, password string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(Login(host, account, password)), 0o600))
	return dir
}

// Login is the configuration of docker after "docker login".
func Login(host, account, password string) string {
	return fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, host, base64.StdEncoding.EncodeToString([]byte(account+":"+password)))
}

// freeAddress is one of loopback that nobody listened on a moment ago.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	at := l.Addr().String()
	must(t, l.Close())
	return at
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

package oci

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/image/oci/registrytest"
)

const (
	account  = "builder"
	password = "planted-pa55word"
)

// guarded is a registry that asks for an account.
func guarded(t *testing.T) (host string) {
	t.Helper()
	return registrytest.Registry{Account: account, Password: password}.Start(t)
}

// dockerConfig makes a configuration of docker the one that counts.
func dockerConfig(t *testing.T, content string) {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(content), 0o600))
	t.Setenv("DOCKER_CONFIG", dir)
}

// login is what "docker login" leaves.
func login(host, secret string) string { return registrytest.Login(host, account, secret) }

// credentialHelper puts docker-credential-NAME into PATH; it knows the account of one registry.
func credentialHelper(t *testing.T, name, host, secret string) {
	t.Helper()
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nread -r host\n[ \"$1 $host\" = 'get %s' ] || { echo 'credentials not found in native keychain'; exit 1; }\n"+
		"echo '{\"ServerURL\": \"%s\", \"Username\": \"%s\", \"Secret\": \"%s\"}'\n", host, host, account, secret)
	must(t, os.WriteFile(filepath.Join(dir, "docker-credential-"+name), []byte(script), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestCredentials(t *testing.T) {
	host := guarded(t)
	dir, digest := writeImage(t, writeLayers(t), slaveImage())
	credentialHelper(t, "forgetest", host, password)
	credentialHelper(t, "forgewrong", host, "another-"+password)
	for _, test := range []struct {
		name, config string
		allowed      bool
	}{
		{"docker login", login(host, password), true},
		{"a helper for the registry", fmt.Sprintf(`{"credHelpers": {%q: "forgetest"}}`, host), true},
		{"a helper for all", `{"credsStore": "forgetest"}`, true},
		{"a helper with another password", `{"credsStore": "forgewrong"}`, false},
		{"another password", login(host, "another-"+password), false},
		{"another registry's", login("registry.example", password), false},
		{"none", "{}", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dockerConfig(t, test.config)
			o := PushOptions{AllowStandins: true, RemoteOptions: quick}
			ref, err := Push(t.Context(), dir, host+"/cluster/slave:1", o)
			if test.allowed {
				must(t, err)
				if want := host + "/cluster/slave@" + digest; ref != want {
					t.Errorf("pushed %s, want %s", ref, want)
				}
				_, err = Attach(t.Context(), ref, Artifact{Type: "text/plain", Content: []byte(test.name)}, o.RemoteOptions)
				must(t, err)
				got, err := Pull(t.Context(), ref, t.TempDir(), PullOptions{RemoteOptions: quick})
				must(t, err)
				expectSame(t, filepath.Join(dir, "index.json"), filepath.Join(got.Path, "index.json"))
				return
			}
			_, pullErr := Pull(t.Context(), host+"/cluster/slave:1", t.TempDir(), PullOptions{RemoteOptions: quick})
			for _, err := range []error{err, pullErr} {
				if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), `"docker login `+host+`"`) {
					t.Errorf("error %v, want ErrDenied and what gives credentials", err)
				} else if strings.Contains(err.Error(), password) {
					t.Errorf("the error tells the password: %v", err)
				}
			}
		})
	}
}

func TestTLS(t *testing.T) {
	ca := registrytest.NewAuthority(t)
	host := registrytest.Registry{Authority: ca}.Start(t)
	_, err := Referrers(t.Context(), host+"/cluster/slave:1", "", quick)
	if err == nil || !strings.Contains(err.Error(), "does not know: name its file with --ca, or in SSL_CERT_FILE") {
		t.Errorf("an unknown authority: error %v", err)
	}
	o := quick
	o.Transport, err = TrustCA(ca.File)
	must(t, err)
	ref := pushSmall(t, host+"/cluster/slave", o)
	_, err = Attach(t.Context(), ref, Artifact{Type: "text/plain", Content: []byte("x")}, o)
	must(t, err)
	_, err = Pull(t.Context(), ref, t.TempDir(), PullOptions{RemoteOptions: o})
	must(t, err)
	// SSL_CERT_FILE is read once by each process.
	cmd := exec.Command(os.Args[0], "-test.run=^TestInspectOverTLS$", "-test.v")
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+ca.File, "FORGE_TEST_REFERENCE="+ref)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "seen: "+ref) {
		t.Errorf("with SSL_CERT_FILE: %v\n%s", err, out)
	}
	if _, err := TrustCA(os.Args[0]); err == nil || !strings.Contains(err.Error(), "holds none in the PEM form") {
		t.Errorf("a file without certificates: error %v", err)
	}
	if _, err := TrustCA(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such file: error %v", err)
	}
}

// TestInspectOverTLS is a part of TestTLS, in a process of its own; without that it looks at a registry without TLS.
func TestInspectOverTLS(t *testing.T) {
	ref := os.Getenv("FORGE_TEST_REFERENCE")
	if ref == "" {
		host, _ := startRegistry(t, plainly)
		ref = pushSmall(t, host+"/cluster/slave", quick)
	}
	info, err := InspectRemote(t.Context(), ref, quick)
	must(t, err)
	t.Logf("seen: %s", info.Ref)
}

// TestSkopeoReadsTheRegistry has another implementation look at what was pushed, and bring it back.
func TestSkopeoReadsTheRegistry(t *testing.T) {
	if _, err := exec.LookPath("skopeo"); err != nil {
		missing(t, "skopeo is needed: %v", err)
	}
	host := guarded(t)
	dockerConfig(t, login(host, password))
	dir, digest := writeImage(t, writeLayers(t), slaveImage())
	_, err := Push(t.Context(), dir, host+"/cluster/slave:1", PushOptions{AllowStandins: true, RemoteOptions: quick})
	must(t, err)
	d := writeDisk(t, 100_000)
	_, err = PushDisk(t.Context(), d, host+"/disks/slave:1", PushOptions{RemoteOptions: quick})
	must(t, err)
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("skopeo", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("skopeo %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	secret := account + ":" + password
	got := run("inspect", "--creds", secret, "--tls-verify=false", "--format", "{{.Digest}} {{index .Labels \""+StandInsLabel+"\"}}", "docker://"+host+"/cluster/slave:1")
	if want := digest + " azkaban,mesos\n"; got != want {
		t.Errorf("skopeo says %q, want %q", got, want)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	run("--insecure-policy", "copy", "--quiet", "--src-creds", secret, "--src-tls-verify=false", "docker://"+host+"/cluster/slave:1", "oci:"+copied+":latest")
	if back, err := Validate(copied); back != digest || err != nil {
		t.Errorf("skopeo's copy is %s, %v; want %s", back, err, digest)
	}
	if raw := run("inspect", "--creds", secret, "--tls-verify=false", "--raw", "docker://"+host+"/disks/slave:1"); !strings.Contains(raw, `"artifactType":"`+DiskType+`"`) || !strings.Contains(raw, d.Digest) {
		t.Errorf("the disk's manifest is %s", raw)
	}
}

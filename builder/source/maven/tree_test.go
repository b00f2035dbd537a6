package maven_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/source/maven"
)

func authority(t *testing.T, serial int64) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// TestInTree looks at what mvn in a tree is shown of the host.
func TestInTree(t *testing.T) {
	root, home, work := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/resolv.conf"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(home, "bundle.pem")
	text := append(append(authority(t, 1), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"...), authority(t, 2)...)
	if err := os.WriteFile(bundle, text, 0o644); err != nil {
		t.Fatal(err)
	}
	var got sandbox.Spec
	var store string
	c := &maven.Client{
		Root: root, Home: home, Temp: work, Args: []string{"-s", "x"},
		Env: []string{"JAVA_HOME=/host", "HOME=/host", "MAVEN_OPTS=-Dmine=1", "SSL_CERT_FILE=" + bundle, "https_proxy=p"},
	}
	c.Run = func(_ context.Context, s sandbox.Spec) error {
		got = s
		store = filepath.Join(s.Binds[0].Source, "authorities.jks")
		if keytool, err := exec.LookPath("keytool"); err == nil {
			out, err := exec.Command(keytool, "-list", "-keystore", store, "-storepass", "changeit").CombinedOutput()
			if err != nil || !strings.Contains(string(out), "contains 2 entries") {
				t.Errorf("keytool: %v\n%s", err, out)
			}
		} else if os.Getenv("CI") == "true" {
			t.Error(err)
		}
		return nil
	}
	co, err := maven.Parse("g:a:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Artifact(co).Fetch(context.Background(), source.Artifact{Name: "x"}, openStore(t)); err == nil {
		t.Error("no error though nothing was copied")
	}
	if !slices.Equal(got.Args, []string{"mvn", "-B", "-q", "-ntp", "-U", "-f", "/tmp/forge-maven/pom.xml", "-s", "x", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"}) {
		t.Errorf("arguments: %q", got.Args)
	}
	if !got.Network || got.Root != root || got.Dir != "/tmp/forge-maven" {
		t.Errorf("%+v", got)
	}
	binds := map[string]string{}
	for _, b := range got.Binds {
		binds[b.Target] = b.Source
	}
	if len(binds) != 3 || binds["/tmp/home/.m2"] != filepath.Join(home, ".m2") || binds["/etc/resolv.conf"] != "/etc/resolv.conf" || filepath.Dir(binds["/tmp/forge-maven"]) != work {
		t.Errorf("binds: %v", binds)
	}
	env := strings.Join(got.Env, "\n")
	for _, want := range []string{"HOME=/tmp/home", "https_proxy=p", "-Dmine=1 -Duser.home=/tmp/home -Djavax.net.ssl.trustStore=/tmp/forge-maven/authorities.jks"} {
		if !strings.Contains(env, want) {
			t.Errorf("environment lacks %q:\n%s", want, env)
		}
	}
	if strings.Contains(env, "/host") {
		t.Errorf("environment names the host's folders:\n%s", env)
	}
}

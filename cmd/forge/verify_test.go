package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const publicPEM = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"

// TestVerifyMistakes: what is wrong with a command line or a key is said before anything is read.
func TestVerifyMistakes(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	public := file("key.pub", publicPEM)
	private := file("key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	alone := file("alone.deb", "x")
	out := t.TempDir()
	placeImage(t, out, "slave")
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"verify"}, "one image reference or one file"},
		{[]string{"verify", alone}, "verify needs --key"},
		{[]string{"verify", alone, "--key", filepath.Join(dir, "absent")}, "no such file"},
		{[]string{"verify", alone, "--key", private}, "this is a private key"},
		{[]string{"verify", alone, "--key", public}, "in no output folder"},
		{[]string{"verify", filepath.Join(dir, "absent.deb"), "--key", public}, "no such file"},
		{[]string{"verify", "no reference", "--key", public}, "it should be like"},
		{[]string{"inspect"}, "one image reference, folder or file"},
		{[]string{"inspect", alone}, "in no output folder"},
		{[]string{"push", "127.0.0.1:1/x:1", "--out", out, "--sign-key", public}, "signing needs the private one"},
		{[]string{"push", "127.0.0.1:1/x:1", "--out", out, "--sign-key", publicPEM}, "must not stand on a command line"},
	} {
		got, err := command(t, c.args...)
		if err == nil || got != "" || !strings.Contains(err.Error(), c.says) {
			t.Errorf("forge %s: %q, %v; want %q", strings.Join(c.args, " "), got, err, c.says)
		}
	}
}

// TestKeyLeavesTheEnvironment: programs that forge starts see neither key nor passphrase.
func TestKeyLeavesTheEnvironment(t *testing.T) {
	out := t.TempDir()
	placeImage(t, out, "slave")
	t.Setenv(keyVariable, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	t.Setenv(passphraseVariable, "secret")
	_, err := command(t, "push", "127.0.0.1:1/x:1", "--out", out)
	if err == nil || !strings.Contains(err.Error(), "in the environment") || strings.Contains(err.Error(), "AAAA") {
		t.Errorf("a key that is none: %v", err)
	}
	for _, name := range []string{keyVariable, passphraseVariable} {
		if value, there := os.LookupEnv(name); there {
			t.Errorf("%s is still %q", name, value)
		}
	}
}

func TestInspectLayout(t *testing.T) {
	out := t.TempDir()
	digest := placeImage(t, out, "slave", "mesos")
	got, err := command(t, "inspect", filepath.Join(out, "slave", "image"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{digest, "role       slave", "stand-ins  mesos", "layer 1    sha256:"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %q", got, want)
		}
	}
}

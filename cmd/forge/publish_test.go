package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/mesos-forge/forge/builder"
)

// signingKey makes an OpenPGP key, armored, that a passphrase unlocks unless that is "".
func signingKey(t *testing.T, passphrase string) string {
	t.Helper()
	e, err := openpgp.NewEntity("Forge", "", "forge@forge.invalid", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	if err == nil && passphrase != "" {
		err = e.EncryptPrivateKeys([]byte(passphrase), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.PrivateKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.SerializePrivateWithoutSigning(w, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// publish puts the packages of a build with stand-ins into an apt repository, which it returns with what a client needs.
func (f *forge) publish() (dir string, res builder.AptResult) {
	f.t.Helper()
	const secret = "planted-passphrase"
	dir = filepath.Join(f.dir, "apt")
	f.env = append(f.env, "FORGE_SIGNING_KEY="+signingKey(f.t, secret), "FORGE_SIGNING_PASSPHRASE="+secret)
	flags := f.flags
	f.flags = nil // the programs that write indexes come from the network
	defer func() { f.flags = flags }()
	args := []string{"publish", "--apt", dir, "--url", "file:/forge", "--output", "json"}
	if _, errs, code := f.run(args...); code != 1 || !strings.Contains(errs, "packages are stand-ins (mesos)") {
		f.t.Errorf("with a stand-in: exit status %d\n%s", code, errs)
	}
	out, errs, code := f.run(append(args, "--allow-standins")...)
	if code != 0 {
		f.t.Fatalf("forge publish: exit status %d\n%s", code, errs)
	}
	if err := json.Unmarshal([]byte(out), &res); err != nil {
		f.t.Fatalf("%v: %s", err, out)
	}
	if strings.Contains(out+errs, secret) || strings.Contains(out+errs, "PRIVATE KEY") {
		f.t.Errorf("a secret is in the output:\n%s%s", out, errs)
	}
	return dir, res
}

func TestPublishMistakes(t *testing.T) {
	f := newForge(t)
	key, open := filepath.Join(f.dir, "key.asc"), filepath.Join(f.dir, "open.asc")
	for path, mode := range map[string]os.FileMode{key: 0o600, open: 0o644} {
		if err := os.WriteFile(path, []byte(signingKey(t, "x")), mode); err != nil {
			t.Fatal(err)
		}
	}
	pass := filepath.Join(f.dir, "passphrase")
	if err := os.WriteFile(pass, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"", 2, "publish needs the folder of the repository: --apt DIR"},
		{"--apt apt", 1, "no key to sign with: name the file of an OpenPGP private key with --key, or put the armored key into FORGE_SIGNING_KEY"},
		{"--apt apt --key " + open, 1, "chmod 0600 " + open},
		{"--apt apt --key " + filepath.Join(f.dir, "absent"), 1, "signing key: open " + filepath.Join(f.dir, "absent")},
		{"--apt apt --key " + pass, 1, "this is no OpenPGP private key"},
		{"--apt apt --key " + key, 1, "the key is locked, and no passphrase is given; FORGE_SIGNING_PASSPHRASE or --passphrase-file gives it"},
		{"--apt apt --passphrase-file " + pass + " --key " + key + " --key " + key, 1, "is given twice"},
		{"--apt apt --passphrase-file " + pass + " --key " + key, 1, "no package is in " + filepath.Join(f.out, "debs") + ": forge build makes them"},
	} {
		if _, errs, code := f.run(append([]string{"publish"}, strings.Fields(c.args)...)...); code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("forge publish %s: exit status %d, want %d and %q:\n%s", c.args, code, c.code, c.want, errs)
		}
	}
}

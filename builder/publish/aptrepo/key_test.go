package aptrepo

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// gpg runs the real one in a home folder.
func gpg(t *testing.T, home string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("gpg", append([]string{"--homedir", home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback"}, args...)...)
	cmd.Env = append(os.Environ(), "GNUPGHOME="+home)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("gpg %v: %v\n%s", args, err, errs.String())
	}
	return out
}

func gpgHome(t *testing.T) string {
	t.Helper()
	need(t, "gpg", "gpgconf")
	home, err := os.MkdirTemp("/tmp", "gpg-") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	// Locking a key is meant to take long.
	if err := os.WriteFile(filepath.Join(home, "gpg-agent.conf"), []byte("s2k-count 65536\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		os.RemoveAll(home)
	})
	return home
}

// primary is the fingerprint of the only primary key of a home folder.
func primary(t *testing.T, home string) string {
	t.Helper()
	for line := range strings.Lines(string(gpg(t, home, "--with-colons", "--list-keys"))) {
		if f := strings.Split(line, ":"); f[0] == "fpr" {
			return f[9]
		}
	}
	t.Fatal("gpg has no key")
	return ""
}

// TestKeysOfGPG signs with what gpg exports, and has gpgv and apt check that.
func TestKeysOfGPG(t *testing.T) {
	home := gpgHome(t)
	const user, secret = "Forge <forge@forge.invalid>", "correct horse"
	gpg(t, home, "--passphrase", secret, "--quick-gen-key", user, "ed25519", "cert", "1y")
	fpr := primary(t, home)
	gpg(t, home, "--passphrase", secret, "--quick-add-key", fpr, "ed25519", "sign", "1y")
	for name, export := range map[string][]string{
		"whole":           {"--armor", "--export-secret-keys"},
		"binary":          {"--export-secret-keys"},
		"signing subkeys": {"--armor", "--export-secret-subkeys"}, // the primary one stays where it is safe
	} {
		text := gpg(t, home, append([]string{"--passphrase", secret}, export...)...)
		if _, err := ReadKey(text, nil, time.Now()); !errors.Is(err, ErrKeyPassphrase) {
			t.Errorf("%s without a passphrase: error %v", name, err)
		}
		if _, err := ReadKey(text, []byte("wrong"), time.Now()); !errors.Is(err, ErrKeyPassphrase) || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s with a wrong passphrase: error %v", name, err)
		}
		k, err := ReadKey(text, []byte(secret), time.Now())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if k.Fingerprint() != fpr || k.String() != fpr+" ("+user+")" {
			t.Errorf("%s: key %s, want %s", name, k, fpr)
		}
		r := newRepo(t)
		r.spec.Keys = []*Key{k}
		r.must(makeDeb(t, "forge-x", "1", "all", "")) // the date is before the key was made
		r.gpgv()
		newClient(t, "file:"+r.spec.Dir, "bookworm", []byte(r.read(keyFile))).must("update")
		if strings.Contains(r.read(keyFile), "PRIVATE") {
			t.Errorf("%s: the private key is in the repository", name)
		}
		r.must(makeDeb(t, "forge-x", "2", "all", ""))
	}

	if _, err := ReadKey(gpg(t, home, "--armor", "--export"), nil, time.Now()); !errors.Is(err, ErrKeyPublic) {
		t.Errorf("public key: error %v", err)
	}
	cert, err := os.ReadFile(filepath.Join(home, "openpgp-revocs.d", fpr+".rev"))
	if err != nil {
		t.Fatal(err)
	}
	rev := filepath.Join(home, "rev")
	if err := os.WriteFile(rev, bytes.Replace(cert, []byte(":-----BEGIN"), []byte("-----BEGIN"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	gpg(t, home, "--import", rev)
	revoked := gpg(t, home, "--passphrase", secret, "--export-secret-keys")
	if _, err := ReadKey(revoked, []byte(secret), time.Now()); !errors.Is(err, ErrKeyRevoked) || !strings.Contains(err.Error(), fpr) {
		t.Errorf("revoked key: error %v", err)
	}
}

// TestExpiredKeys has a key that was valid once, and one whose subkey was.
func TestExpiredKeys(t *testing.T) {
	text := keyText(t, "Old", &packet.Config{KeyLifetimeSecs: 24 * 3600})
	if _, err := ReadKey(text, nil, time.Now()); !errors.Is(err, ErrKeyExpired) || !strings.Contains(err.Error(), "on 2024-06-02: prolong it") {
		t.Errorf("expired key: error %v", err)
	}
	if _, err := ReadKey(text, nil, epoch.AddDate(-1, 0, 0).Add(time.Hour)); err != nil {
		t.Errorf("the same while it was valid: %v", err)
	}
	if _, err := ReadKey(text, nil, epoch.AddDate(-2, 0, 0)); !errors.Is(err, ErrKeyForm) || !strings.Contains(err.Error(), "made on 2024-06-01") {
		t.Errorf("the same before it was made: error %v", err)
	}
	home := gpgHome(t)
	gpg(t, home, "--passphrase", "", "--quick-gen-key", "Forge <forge@forge.invalid>", "ed25519", "cert", "1y")
	fpr := primary(t, home)
	gpg(t, home, "--passphrase", "", "--quick-add-key", fpr, "ed25519", "sign", "1d")
	if _, err := ReadKey(gpg(t, home, "--export-secret-keys", fpr), nil, time.Now().AddDate(0, 0, 3)); !errors.Is(err, ErrKeyExpired) || !strings.Contains(err.Error(), "the subkey that signs") {
		t.Errorf("expired subkey: error %v", err)
	}
}

func TestBadKeys(t *testing.T) {
	good := keyText(t, "One", nil)
	var two bytes.Buffer
	for _, text := range [][]byte{good, keyText(t, "Two", nil)} {
		list, err := readKeys(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := list[0].SerializePrivateWithoutSigning(&two, nil); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string][]byte{"empty": nil, "no key": []byte("-----BEGIN PGP MESSAGE-----\n\n-----END PGP MESSAGE-----\n"), "noise": []byte("hello"),
		"cut": good[:len(good)/2], "two": two.Bytes(), "large": make([]byte, MaxKey+1)} {
		if _, err := ReadKey(text, nil, time.Now()); !errors.Is(err, ErrKeyForm) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	encryption, err := openpgp.NewEntity("E", "", "e@forge.invalid", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	if err != nil {
		t.Fatal(err)
	}
	encryption.PrivateKey = nil
	for name := range encryption.Identities {
		encryption.Identities[name].SelfSignature.FlagSign = false
	}
	k := &Key{entity: encryption}
	if err := k.choose(time.Now()); !errors.Is(err, ErrKeyForm) || !strings.Contains(err.Error(), "may sign") {
		t.Errorf("a key that may not sign: error %v", err)
	}
}

func FuzzReadKey(f *testing.F) {
	f.Add([]byte("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlFgEZ\n-----END PGP PRIVATE KEY BLOCK-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if k, err := ReadKey(text, nil, time.Unix(1<<31, 0)); err == nil && k.signer == nil {
			t.Error("a key without what signs")
		}
	})
}

// TestRotation goes from one key to another, with clients that have the old one, and then those that have the new one.
func TestRotation(t *testing.T) {
	r := newRepo(t)
	one, two := r.spec.Keys[0], readKey(t, keyText(t, "Two", nil))
	r.must(makeDeb(t, "forge-x", "1", "all", ""))
	oldKey := []byte(r.read(keyFile))
	updates := func(key []byte) bool {
		out, err := newClient(t, "file:"+r.spec.Dir, "bookworm", key).apt("update")
		return err == nil && !strings.Contains(out, "not signed")
	}

	r.spec.Keys = []*Key{two}
	err := r.refused("--key twice", makeDeb(t, "forge-x", "2", "all", ""))
	if !errors.Is(err, ErrKeyForeign) || !strings.Contains(err.Error(), one.Fingerprint()) || !strings.Contains(err.Error(), two.Fingerprint()) {
		t.Errorf("error %v; want both fingerprints", err)
	}
	r.spec.Keys = []*Key{one, two}
	if res := r.must(); !res.Changed || len(res.Keys) != 2 {
		t.Errorf("%+v; want both keys", res)
	}
	r.gpgv()
	both := []byte(r.read(keyFile))
	if !updates(oldKey) || !updates(both) {
		t.Error("a client of the old key, or of both, refuses what both signed")
	}
	r.spec.Keys = []*Key{two}
	if res := r.must(); !res.Changed {
		t.Errorf("%+v; want a publication with the new key alone", res)
	}
	if updates(oldKey) || !updates(both) || !updates([]byte(r.read(keyFile))) {
		t.Error("after the change clients of the old key should refuse the repository, those of the new one take it")
	}

	r.spec.Keys = []*Key{readKey(t, keyText(t, "Three", nil))}
	r.refused("signed by another key")
	r.spec.NewKey = true
	r.must()
	r.gpgv()
	r.spec.NewKey = false
	r.must(makeDeb(t, "forge-x", "3", "all", ""))
}

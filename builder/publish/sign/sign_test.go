package sign_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"github.com/mesos-forge/forge/builder/publish/sign"
)

const passphrase = "correct horse battery staple"

// openssl runs the real one in a folder and returns what it writes to the file named last.
func openssl(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PASSPHRASE="+passphrase)
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		if os.Getenv("CI") == "true" {
			t.Fatal("missing: openssl")
		}
		t.Skip("missing: openssl")
	}
	if err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
	text, err := os.ReadFile(filepath.Join(cmd.Dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func generate(t *testing.T, args ...string) []byte {
	t.Helper()
	return openssl(t, append([]string{"genpkey", "-out", "key"}, args...)...)
}

func ec(curve string) []string {
	return []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve}
}

// cosignKey is a key in the form that cosign writes.
func cosignKey(t *testing.T) []byte {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	box, err := encrypted.Encrypt(der, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: box})
}

var statement = []byte(`{"_type":"https://in-toto.io/Statement/v1"}`)

func TestKeys(t *testing.T) {
	for name, text := range map[string][]byte{
		"ed25519":           generate(t, "-algorithm", "ed25519"),
		"P-256":             generate(t, ec("P-256")...),
		"P-256, SEC 1":      openssl(t, "ecparam", "-genkey", "-name", "prime256v1", "-out", "key"),
		"encrypted ed25519": generate(t, "-algorithm", "ed25519", "-aes256", "-pass", "env:PASSPHRASE"),
		"encrypted P-256":   generate(t, append(ec("P-256"), "-aes256", "-pass", "env:PASSPHRASE")...),
		"cosign":            cosignKey(t),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "passphrase")
			if err := os.WriteFile(file, []byte(passphrase+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			key, err := sign.Load(string(text), "", file)
			if err != nil {
				t.Fatal(err)
			}
			bundle, err := key.Statement(t.Context(), statement)
			if err != nil {
				t.Fatal(err)
			}
			public, err := sign.LoadPublic(string(key.PEM()))
			if err != nil {
				t.Fatal(err)
			}
			b, err := sign.ParseBundle(bundle)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := b.Verify(t.Context(), public); err != nil || !bytes.Equal(got, statement) || b.KeyID != public.ID() {
				t.Errorf("%q, %v, key %s; want the statement of key %s", got, err, b.KeyID, public.ID())
			}
		})
	}
}

// TestIdentifier: openssl shows which key signed.
func TestIdentifier(t *testing.T) {
	key, err := sign.ParseKey(generate(t, "-algorithm", "ed25519"), nil)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "openssl pkey -pubin -outform DER | sha256sum")
	cmd.Stdin = bytes.NewReader(key.PEM())
	out, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(out), key.ID()+" ") {
		t.Errorf("openssl says %q, %v; the identifier is %s", out, err, key.ID())
	}
}

// TestOpensslVerifies has another program check what was signed, as docs/supply-chain.md tells it.
func TestOpensslVerifies(t *testing.T) {
	for name, c := range map[string]struct {
		key    []string
		verify string
	}{
		"ed25519": {[]string{"-algorithm", "ed25519"}, "openssl pkeyutl -verify -rawin -pubin -inkey public -sigfile signature -in signed"},
		"P-256":   {ec("P-256"), "openssl dgst -sha256 -verify public -signature signature signed"},
	} {
		key, err := sign.ParseKey(generate(t, c.key...), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := key.Statement(t.Context(), statement)
		if err != nil {
			t.Fatal(err)
		}
		var bundle struct {
			DsseEnvelope struct {
				Payload    []byte
				Signatures []struct{ Sig []byte }
			}
		}
		if err := json.Unmarshal(text, &bundle); err != nil {
			t.Fatal(err)
		}
		e, dir := bundle.DsseEnvelope, t.TempDir()
		signed := fmt.Appendf(nil, "DSSEv1 28 application/vnd.in-toto+json %d %s", len(e.Payload), e.Payload)
		for file, content := range map[string][]byte{"public": key.PEM(), "signature": e.Signatures[0].Sig, "signed": signed} {
			if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command("sh", "-c", c.verify)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestRefusedKeys(t *testing.T) {
	plain := generate(t, "-algorithm", "ed25519")
	key, err := sign.ParseKey(plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	locked := generate(t, "-algorithm", "ed25519", "-aes256", "-pass", "env:PASSPHRASE")
	damaged := bytes.Replace(plain, []byte("\nM"), []byte("\nN"), 1)
	for name, c := range map[string]struct {
		text       []byte
		passphrase string
		is         error
		says       string
	}{
		"no passphrase":            {locked, "", sign.ErrEncrypted, "FORGE_SIGN_PASSPHRASE"},
		"wrong passphrase":         {locked, "guess", sign.ErrPassphrase, "passphrase"},
		"cosign, no passphrase":    {cosignKey(t), "", sign.ErrEncrypted, "FORGE_SIGN_PASSPHRASE"},
		"cosign, wrong passphrase": {cosignKey(t), "guess", sign.ErrPassphrase, "passphrase"},
		"RSA":                      {generate(t, "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"), "", sign.ErrKind, "RSA of 1024 bits"},
		"P-384":                    {generate(t, ec("P-384")...), "", sign.ErrKind, "on P-384"},
		"X25519":                   {generate(t, "-algorithm", "X25519"), "", nil, "Ed25519"},
		"public":                   {key.PEM(), "", nil, "public key"},
		"damaged":                  {damaged, "", nil, "damaged"},
		"no PEM":                   {[]byte("hello"), "", nil, "-----BEGIN"},
		"SSH":                      {pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY"}), "", nil, "SSH"},
		"certificate":              {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE"}), "", nil, "CERTIFICATE"},
		"too long":                 {bytes.Repeat([]byte("-"), sign.MaxKey+1), "", nil, "more than"},
	} {
		key, err := sign.ParseKey(c.text, []byte(c.passphrase))
		if err == nil || key != nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v and %q in it", name, err, c.is, c.says)
			continue
		}
		if c.passphrase != "" && strings.Contains(err.Error(), c.passphrase) {
			t.Errorf("%s: the error tells the passphrase: %v", name, err)
		}
	}
	if _, err := sign.LoadPublic(string(plain)); err == nil || !strings.Contains(err.Error(), "private key") {
		t.Errorf("a private key to check with: %v", err)
	}
	if _, err := sign.Load(filepath.Join(t.TempDir(), "absent"), "", ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestTampering(t *testing.T) {
	key, err := sign.ParseKey(generate(t, ec("P-256")...), nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := sign.ParseKey(generate(t, "-algorithm", "ed25519"), nil)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := key.Statement(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(text []byte, by *sign.Key) error {
		b, err := sign.ParseBundle(text)
		if err != nil {
			return err
		}
		_, err = b.Verify(t.Context(), &by.Public)
		return err
	}
	if err := verify(bundle, other); !errors.Is(err, sign.ErrOtherKey) || !strings.Contains(err.Error(), key.ID()) || !strings.Contains(err.Error(), other.ID()) {
		t.Errorf("another key: %v", err)
	}
	// Another letter in the middle of the payload, in base64 as it stands there.
	at := bytes.Index(bundle, []byte(`"payload":"`)) + 30
	changed := bytes.Clone(bundle)
	changed[at] = 'A'
	if bundle[at] == 'A' {
		changed[at] = 'B'
	}
	if err := verify(changed, key); !errors.Is(err, sign.ErrTampered) {
		t.Errorf("a changed statement: %v", err)
	}
	for name, text := range map[string]string{
		"empty":          "",
		"no bundle":      "{}",
		"another form":   strings.Replace(string(bundle), "v0.3+json", "v0.9+json", 1),
		"another type":   strings.Replace(string(bundle), "in-toto+json", "other+json", 1),
		"no signature":   string(bundle[:bytes.Index(bundle, []byte(`"signatures"`))]) + `"signatures":[]}}`,
		"unknown field":  `{"surprise":1,` + string(bundle[1:]),
		"something else": "not JSON",
	} {
		if _, err := sign.ParseBundle([]byte(text)); !errors.Is(err, sign.ErrBundle) {
			t.Errorf("%s: %v, want %v", name, err, sign.ErrBundle)
		}
	}
}

func FuzzParseBundle(f *testing.F) {
	f.Add([]byte(`{"mediaType":"` + sign.BundleType + `","verificationMaterial":{"publicKey":{"hint":"AA=="}},"dsseEnvelope":{"payload":"e30=","payloadType":"` + sign.PayloadType + `","signatures":[{"sig":"AA=="}]}}`))
	key, err := sign.ParsePublic([]byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := sign.ParseBundle(text)
		if err != nil {
			return
		}
		if _, err := b.Verify(t.Context(), key); err == nil {
			t.Error("a bundle that this key never signed counts")
		}
	})
}

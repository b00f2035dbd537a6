package sign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/youmark/pkcs8"
)

// MaxKey is the most that a file with a key may have, in bytes.
const MaxKey = 64 << 10

// Why a key is refused.
var (
	ErrPassphrase = errors.New("the passphrase is wrong")
	ErrEncrypted  = errors.New("the key is encrypted, and no passphrase is given: put it into FORGE_SIGN_PASSPHRASE, or name a file with sign.passphrase_file in forge.yaml")
	ErrKind       = errors.New("the key is neither ECDSA on P-256 nor Ed25519: \"openssl genpkey -algorithm ed25519 -out FILE\" makes one")
)

// Types of PEM blocks.
const (
	pemPrivate          = "PRIVATE KEY" // PKCS#8: RFC 5958
	pemEncrypted        = "ENCRYPTED PRIVATE KEY"
	pemEC               = "EC PRIVATE KEY" // SEC 1: RFC 5915
	pemPublic           = "PUBLIC KEY"
	pemSigstoreKey      = "ENCRYPTED SIGSTORE PRIVATE KEY"
	pemCosignKey        = "ENCRYPTED COSIGN PRIVATE KEY" // of older versions
	pemECParameters     = "EC PARAMETERS"                // openssl ecparam writes it before the key
	openSSHPrivate      = "OPENSSH PRIVATE KEY"
	hintPublicFromKey   = "this is a public key; signing needs the private one"
	hintPrivateAsPublic = "this is a private key, which should lie nowhere but where signing is done; checking needs the public one: \"openssl pkey -in FILE -pubout\""
)

// Key signs. Its zero value does not.
type Key struct {
	private crypto.Signer
	Public
}

// Public checks signatures.
type Public struct {
	key crypto.PublicKey
	der []byte // PKIX
}

// ParseKey reads a private key. passphrase may be empty for one that is not encrypted.
func ParseKey(text, passphrase []byte) (*Key, error) {
	block, err := decode(text)
	if err != nil {
		return nil, err
	}
	private, err := parsePrivate(block, passphrase)
	if err != nil {
		return nil, err
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, ErrKind
	}
	public, err := newPublic(signer.Public())
	if err != nil {
		return nil, err
	}
	return &Key{private: signer, Public: *public}, nil
}

// decode returns the first block of a PEM text that is not a curve's parameters.
func decode(text []byte) (*pem.Block, error) {
	if len(text) > MaxKey {
		return nil, fmt.Errorf("more than %d bytes are no key", MaxKey)
	}
	block, rest := pem.Decode(text)
	for block != nil && block.Type == pemECParameters {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("no PEM block is in it: a key begins with \"-----BEGIN\"")
	}
	return block, nil
}

func parsePrivate(block *pem.Block, passphrase []byte) (any, error) {
	isEncrypted := block.Type == pemEncrypted || block.Type == pemSigstoreKey || block.Type == pemCosignKey
	if isEncrypted && len(passphrase) == 0 {
		return nil, ErrEncrypted
	}
	switch block.Type {
	case pemPrivate:
		return parsed(x509.ParsePKCS8PrivateKey(block.Bytes))
	case pemEC:
		if len(block.Headers) > 0 {
			return nil, errors.New("the key is encrypted in OpenSSL's old way: \"openssl pkcs8 -topk8 -in FILE\" writes it anew")
		}
		return parsed(x509.ParseECPrivateKey(block.Bytes))
	case pemEncrypted:
		key, err := pkcs8.ParsePKCS8PrivateKey(block.Bytes, passphrase)
		if err != nil {
			return nil, ErrPassphrase // which a damaged file can't be told from
		}
		return key, nil
	case pemSigstoreKey, pemCosignKey:
		der, err := encrypted.Decrypt(block.Bytes, passphrase)
		if err != nil {
			return nil, ErrPassphrase
		}
		return parsed(x509.ParsePKCS8PrivateKey(der))
	case pemPublic:
		return nil, errors.New(hintPublicFromKey)
	case openSSHPrivate:
		return nil, errors.New("an SSH key does not sign here: \"openssl genpkey -algorithm ed25519 -out FILE\" makes one that does")
	}
	return nil, fmt.Errorf("PEM block %q is no private key", block.Type)
}

// parsed keeps what a parser says of the bytes of a key out of messages.
func parsed[T any](key T, err error) (any, error) {
	if err != nil {
		return nil, errors.New("the PEM block is damaged, or no key that is known here")
	}
	return key, nil
}

// ParsePublic reads a public key.
func ParsePublic(text []byte) (*Public, error) {
	block, err := decode(text)
	if err != nil {
		return nil, err
	}
	switch block.Type {
	case pemPublic:
	case pemPrivate, pemEC, pemEncrypted, pemSigstoreKey, pemCosignKey:
		return nil, errors.New(hintPrivateAsPublic)
	default:
		return nil, fmt.Errorf("PEM block %q is no public key", block.Type)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return newPublic(key)
}

func newPublic(key crypto.PublicKey) (*Public, error) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return nil, fmt.Errorf("%w; this one is on %s", ErrKind, k.Curve.Params().Name)
		}
	case ed25519.PublicKey:
	case *rsa.PublicKey:
		return nil, fmt.Errorf("%w; this one is RSA of %d bits", ErrKind, k.N.BitLen())
	default:
		return nil, ErrKind
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	return &Public{key: key, der: der}, nil
}

// ID is the sha256 of the key in PKIX form, in 64 hexadecimal digits:
// "openssl pkey -pubin -in FILE -outform DER | sha256sum".
func (p *Public) ID() string {
	sum := sha256.Sum256(p.der)
	return hex.EncodeToString(sum[:])
}

// PEM is the public key as a file.
func (p *Public) PEM() []byte { return pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: p.der}) }

// sign signs data, which for ECDSA is hashed with SHA-256 first.
func (k *Key) sign(data []byte) ([]byte, error) {
	if _, ok := k.private.(ed25519.PrivateKey); ok {
		return k.private.Sign(nil, data, crypto.Hash(0))
	}
	sum := sha256.Sum256(data)
	return k.private.Sign(rand.Reader, sum[:], crypto.SHA256)
}

var errSignature = errors.New("the signature is not of this key")

func (p *Public) verify(data, signature []byte) error {
	ok := false
	switch k := p.key.(type) {
	case ed25519.PublicKey:
		ok = ed25519.Verify(k, data, signature)
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(data)
		ok = ecdsa.VerifyASN1(k, sum[:], signature)
	}
	if !ok {
		return errSignature
	}
	return nil
}

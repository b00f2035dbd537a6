package aptrepo

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// MaxKey bounds the text of a key, in bytes.
const MaxKey = 1 << 20

// Why a key is not taken.
var (
	ErrKeyForm       = errors.New("this is no OpenPGP private key")
	ErrKeyPublic     = errors.New("the key has no private part: export it with gpg --export-secret-keys")
	ErrKeyExpired    = errors.New("the key has expired")
	ErrKeyRevoked    = errors.New("the key is revoked")
	ErrKeyPassphrase = errors.New("the key is locked")
	ErrKeyForeign    = errors.New("the repository is signed by another key")
)

// Key is a key that signs, unlocked.
type Key struct {
	entity *openpgp.Entity
	signer *packet.PrivateKey
	since  time.Time // from when on all of it is valid
}

// ReadKey reads one OpenPGP private key (RFC 9580), armored or not. A locked one needs its passphrase. now is
// when it has to be valid.
func ReadKey(text, passphrase []byte, now time.Time) (*Key, error) {
	if len(text) > MaxKey {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrKeyForm, MaxKey)
	}
	entities, err := readKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyForm, err)
	}
	if len(entities) != 1 {
		return nil, fmt.Errorf("%w, but %d keys: export the one that signs", ErrKeyForm, len(entities))
	}
	k := &Key{entity: entities[0]}
	if err := k.choose(now); err != nil {
		return nil, fmt.Errorf("key %s: %w", k, err)
	}
	if k.signer.Encrypted {
		if len(passphrase) == 0 {
			return nil, fmt.Errorf("key %s: %w, and no passphrase is given", k, ErrKeyPassphrase)
		}
		if err := k.signer.Decrypt(passphrase); err != nil {
			return nil, fmt.Errorf("key %s: %w, and the passphrase does not open it", k, ErrKeyPassphrase)
		}
	}
	return k, nil
}

func readKeys(text []byte) (openpgp.EntityList, error) {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----BEGIN")) {
		return openpgp.ReadArmoredKeyRing(bytes.NewReader(text))
	}
	return openpgp.ReadKeyRing(bytes.NewReader(text))
}

// choose finds what signs: the newest signing subkey of which the private part is there, or the primary key.
func (k *Key) choose(now time.Time) error {
	e := k.entity
	self, _ := e.PrimarySelfSignature()
	switch {
	case e.Revoked(now):
		return ErrKeyRevoked
	case self == nil:
		return fmt.Errorf("%w: it has no valid self-signature", ErrKeyForm)
	case e.PrimaryKey.CreationTime.After(now):
		return fmt.Errorf("%w: it was made on %s, after the clock of this machine", ErrKeyForm, date(e.PrimaryKey.CreationTime))
	case e.PrimaryKey.KeyExpired(self, now):
		return expired(e.PrimaryKey, self)
	}
	k.since = later(e.PrimaryKey.CreationTime, self.CreationTime)
	subs := slices.Clone(e.Subkeys)
	slices.SortStableFunc(subs, func(a, b openpgp.Subkey) int { return b.PublicKey.CreationTime.Compare(a.PublicKey.CreationTime) })
	private, reason := e.PrivateKey != nil, error(nil)
	for _, s := range subs {
		private = private || s.PrivateKey != nil
		if !s.Sig.FlagSign || !hasSecret(s.PrivateKey) {
			continue
		}
		if _, ok := e.SigningKeyById(now, s.PublicKey.KeyId); ok {
			k.signer, k.since = s.PrivateKey, later(k.since, later(s.PublicKey.CreationTime, s.Sig.CreationTime))
			return nil
		}
		if reason = cmp.Or(reason, ErrKeyRevoked); !s.Revoked(now) {
			reason = expired(s.PublicKey, s.Sig)
		}
	}
	if key, ok := e.SigningKeyById(now, e.PrimaryKey.KeyId); ok && hasSecret(key.PrivateKey) {
		k.signer = key.PrivateKey
		return nil
	}
	switch {
	case !private:
		return ErrKeyPublic
	case reason != nil:
		return fmt.Errorf("the subkey that signs: %w", reason)
	}
	return fmt.Errorf("%w: no part of it that may sign is private", ErrKeyForm)
}

// hasSecret is false for what gpg writes in place of a secret that it left out.
func hasSecret(k *packet.PrivateKey) bool { return k != nil && !k.Dummy() }

func expired(k *packet.PublicKey, self *packet.Signature) error {
	at := ""
	if self.KeyLifetimeSecs != nil {
		at = " on " + date(k.CreationTime.Add(time.Duration(*self.KeyLifetimeSecs)*time.Second))
	}
	return fmt.Errorf("%w%s: prolong it with gpg --quick-set-expire, and export it again", ErrKeyExpired, at)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// Fingerprint is that of the primary key, in hexadecimal.
func (k *Key) Fingerprint() string { return fingerprint(k.entity) }

func fingerprint(e *openpgp.Entity) string { return fmt.Sprintf("%X", e.PrimaryKey.Fingerprint) }

// String is the fingerprint and a name.
func (k *Key) String() string {
	if id := k.entity.PrimaryIdentity(); id != nil {
		return fmt.Sprintf("%s (%s)", k.Fingerprint(), id.Name)
	}
	return k.Fingerprint()
}

func ring(keys []*Key) openpgp.EntityList {
	var list openpgp.EntityList
	for _, k := range keys {
		list = append(list, k.entity)
	}
	return list
}

func fingerprints(list openpgp.EntityList) []string {
	var all []string
	for _, e := range list {
		all = append(all, fingerprint(e))
	}
	return all
}

// writePublic writes what clients need to check signatures, armored.
func writePublic(w io.Writer, keys []*Key) error {
	out, err := armor.EncodeWithChecksumOption(w, openpgp.PublicKeyType, nil, true)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := k.entity.Serialize(out); err != nil {
			return fmt.Errorf("public key of %s: %w", k, err)
		}
	}
	if err := out.Close(); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n")
	return err
}

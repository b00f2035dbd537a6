package aptrepo

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// signatureConfig makes signatures the same every time. They are never older than the keys, which clients would
// refuse.
func signatureConfig(at time.Time, keys ...*Key) *packet.Config {
	for _, k := range keys {
		at = later(at, k.since)
	}
	salted := false
	return &packet.Config{DefaultHash: crypto.SHA512, Time: func() time.Time { return at }, NonDeterministicSignaturesViaNotation: &salted}
}

// clearSign returns InRelease. As gpg does it, the last end of line is not part of what is signed.
func clearSign(release []byte, at time.Time, keys []*Key) ([]byte, error) {
	var signers []*packet.PrivateKey
	for _, k := range keys {
		signers = append(signers, k.signer)
	}
	var out bytes.Buffer
	w, err := clearsign.EncodeMulti(&out, signers, signatureConfig(at, keys...))
	if err != nil {
		return nil, fmt.Errorf("sign InRelease: %w", err)
	}
	if _, err := w.Write(bytes.TrimSuffix(release, []byte("\n"))); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("sign InRelease: %w", err)
	}
	return append(out.Bytes(), '\n'), nil
}

// detachSign returns Release.gpg.
func detachSign(release []byte, at time.Time, keys []*Key) ([]byte, error) {
	var out bytes.Buffer
	w, err := armor.EncodeWithChecksumOption(&out, openpgp.SignatureType, nil, true)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		config := signatureConfig(at, k)
		config.SigningKeyId = k.signer.KeyId
		if err := openpgp.DetachSign(w, k.entity, bytes.NewReader(release), config); err != nil {
			return nil, fmt.Errorf("sign Release with key %s: %w", k, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return append(out.Bytes(), '\n'), nil
}

// agedOut are faults that a good signature has got since it was made, as when its key was prolonged. A key that is to
// sign anew is looked at by [ReadKey].
var agedOut = []error{pgperrors.ErrKeyExpired, pgperrors.ErrKeyRevoked, pgperrors.ErrSignatureExpired}

// errNotSigned says that no signature is of the keys that were asked for.
var errNotSigned = errors.New("no signature of these keys")

// openInRelease returns what a clear-signed file says if one of the keys signed it, and who did.
func openInRelease(text []byte, keys openpgp.EntityList) (release []byte, signers []string, err error) {
	block, rest := clearsign.Decode(text)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 || !bytes.HasPrefix(text, []byte("-----BEGIN PGP SIGNED MESSAGE-----\n")) {
		return nil, nil, errors.New("it is no clear-signed text, or has more than that in it")
	}
	signature, err := io.ReadAll(block.ArmoredSignature.Body)
	if err != nil {
		return nil, nil, err
	}
	signers, err = checkSignatures(block.Bytes, signature, keys)
	return append(block.Plaintext, '\n'), signers, err
}

// openRelease checks a detached signature.
func openRelease(release, text []byte, keys openpgp.EntityList) error {
	if !bytes.HasPrefix(text, []byte("-----BEGIN PGP SIGNATURE-----\n")) || !bytes.HasSuffix(text, []byte("-----END PGP SIGNATURE-----\n")) ||
		bytes.Count(text, []byte("-----BEGIN ")) != 1 {
		return errors.New("it is no detached signature, or has more than that in it")
	}
	block, err := armor.Decode(bytes.NewReader(text))
	if err != nil {
		return err
	}
	signature, err := io.ReadAll(block.Body)
	if err != nil {
		return err
	}
	_, err = checkSignatures(release, signature, keys)
	return err
}

// checkSignatures returns the fingerprints of those of the keys that signed, at least one, and fails if one of
// their signatures is wrong.
func checkSignatures(signed, signatures []byte, keys openpgp.EntityList) ([]string, error) {
	var signers, others []string
	for r := packet.NewReader(bytes.NewReader(signatures)); ; {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		sig, ok := p.(*packet.Signature)
		if !ok || sig.IssuerKeyId == nil {
			return nil, errors.New("its signature has no issuer")
		}
		if len(keys.KeysById(*sig.IssuerKeyId)) == 0 {
			others = append(others, fmt.Sprintf("%X", sig.IssuerFingerprint))
			continue
		}
		var one bytes.Buffer
		if err := sig.Serialize(&one); err != nil {
			return nil, err
		}
		config := &packet.Config{Time: func() time.Time { return sig.CreationTime }}
		signer, err := openpgp.CheckDetachedSignature(keys, bytes.NewReader(signed), &one, config)
		if signer == nil || err != nil && !slices.Contains(agedOut, err) {
			return nil, err
		}
		signers = append(signers, fingerprint(signer))
	}
	if len(signers) == 0 {
		return nil, fmt.Errorf("%w, but of %s", errNotSigned, strings.Join(others, " and "))
	}
	return signers, nil
}

package sign

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"google.golang.org/protobuf/encoding/protojson"
)

const (
	// BundleType is the media type of a sigstore bundle with what Statement makes.
	BundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"
	// PayloadType is that of an in-toto statement in a DSSE envelope (in-toto attestation framework, v1, envelope).
	PayloadType = "application/vnd.in-toto+json"
	// MaxBundle is the most that a bundle may have, in bytes: a whole SBOM may be in it.
	MaxBundle = 64 << 20
)

// Why a bundle is refused.
var (
	ErrOtherKey = errors.New("signed by another key")
	ErrTampered = errors.New("changed after it was signed")
	ErrBundle   = errors.New("no sigstore bundle of an in-toto statement")
)

// Bundle is a signed statement. Its content counts only once Verify says so.
type Bundle struct {
	KeyID    string // that the bundle names: see [Public.ID]; "" if it names none
	envelope dsse.Envelope
}

// Statement signs an in-toto statement and returns the bundle as JSON. It ends with a new line.
func (k *Key) Statement(ctx context.Context, statement []byte) ([]byte, error) {
	signer, err := dsse.NewEnvelopeSigner(dsseKey{k, &k.Public})
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	envelope, err := signer.SignPayload(ctx, PayloadType, statement)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	signature, err := base64.StdEncoding.DecodeString(envelope.Signatures[0].Sig)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	id, err := hex.DecodeString(k.ID())
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	text, err := protojson.Marshal(&bundlepb.Bundle{
		MediaType: BundleType,
		VerificationMaterial: &bundlepb.VerificationMaterial{Content: &bundlepb.VerificationMaterial_PublicKey{
			PublicKey: &commonpb.PublicKeyIdentifier{Hint: base64.StdEncoding.EncodeToString(id)}}},
		Content: &bundlepb.Bundle_DsseEnvelope{DsseEnvelope: &dssepb.Envelope{Payload: statement, PayloadType: PayloadType,
			Signatures: []*dssepb.Signature{{Sig: signature}}}},
	})
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil { // protojson's blanks differ from program to program
		return nil, fmt.Errorf("sign: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// ParseBundle reads a bundle and checks nothing of it but its form.
func ParseBundle(text []byte) (*Bundle, error) {
	if len(text) > MaxBundle {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrBundle, MaxBundle)
	}
	var b bundlepb.Bundle
	if err := protojson.Unmarshal(text, &b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	envelope := b.GetDsseEnvelope()
	switch {
	case b.GetMediaType() != BundleType:
		return nil, fmt.Errorf("%w: media type %q, known is %s", ErrBundle, b.GetMediaType(), BundleType)
	case envelope == nil || envelope.GetPayloadType() != PayloadType:
		return nil, fmt.Errorf("%w: payload type %q", ErrBundle, envelope.GetPayloadType())
	case len(envelope.GetSignatures()) != 1: // so the specification has it
		return nil, fmt.Errorf("%w: %d signatures, expected one", ErrBundle, len(envelope.GetSignatures()))
	}
	out := &Bundle{envelope: dsse.Envelope{PayloadType: PayloadType, Payload: base64.StdEncoding.EncodeToString(envelope.GetPayload()),
		Signatures: []dsse.Signature{{Sig: base64.StdEncoding.EncodeToString(envelope.GetSignatures()[0].GetSig())}}}}
	if id, err := base64.StdEncoding.DecodeString(b.GetVerificationMaterial().GetPublicKey().GetHint()); err == nil {
		out.KeyID = hex.EncodeToString(id)
	}
	return out, nil
}

// Verify returns the statement if the key signed it. The error is ErrOtherKey where the bundle names another
// key, ErrTampered where it names this one and the signature does not hold.
func (b *Bundle) Verify(ctx context.Context, key *Public) ([]byte, error) {
	verifier, err := dsse.NewEnvelopeVerifier(dsseKey{nil, key})
	if err != nil {
		return nil, err
	}
	_, statement, err := verifier.VerifyAndDecode(ctx, &b.envelope)
	switch {
	case err == nil:
		return statement, nil
	case b.KeyID != "" && b.KeyID != key.ID():
		return nil, fmt.Errorf("%w: by %s, and the key given is %s", ErrOtherKey, b.KeyID, key.ID())
	}
	return nil, fmt.Errorf("%w: the signature of key %s does not hold", ErrTampered, key.ID())
}

// Unverified returns the statement, whoever wrote it: to show what is there.
func (b *Bundle) Unverified() ([]byte, error) { return b.envelope.DecodeB64Payload() }

// dsseKey is a key in the form that the DSSE library wants. The envelope names no key: the bundle does, and
// cosign takes an identifier that it did not make for that of another key.
type dsseKey struct {
	private *Key // nil to check only
	public  *Public
}

func (d dsseKey) KeyID() (string, error)   { return "", nil }
func (d dsseKey) Public() crypto.PublicKey { return d.public.key }

func (d dsseKey) Sign(_ context.Context, data []byte) ([]byte, error) { return d.private.sign(data) }

func (d dsseKey) Verify(_ context.Context, data, signature []byte) error {
	return d.public.verify(data, signature)
}

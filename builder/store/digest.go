package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"
)

// Digest names content: "sha256:" and 64 lower-case hexadecimal digits
// (OCI image specification, descriptor.md, "Digests").
type Digest string

const digestPrefix = "sha256:"

// ParseDigest checks that s is a Digest. A bare 64-digit hexadecimal string is taken as well.
func ParseDigest(s string) (Digest, error) {
	h := strings.TrimPrefix(s, digestPrefix)
	if len(h) != 2*sha256.Size {
		return "", fmt.Errorf("digest %q: want sha256: and 64 hexadecimal digits", s)
	}
	for _, c := range h {
		if !strings.ContainsRune("0123456789abcdef", c) {
			return "", fmt.Errorf("digest %q: %q is not a lower-case hexadecimal digit", s, c)
		}
	}
	return Digest(digestPrefix + h), nil
}

// Hex returns the 64 digits without the algorithm.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), digestPrefix) }

// Short returns the first 12 digits, for people.
func (d Digest) Short() string {
	if h := d.Hex(); len(h) > 12 {
		return h[:12]
	}
	return d.Hex()
}

// DigestOf returns the digest of b.
func DigestOf(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest(digestPrefix + hex.EncodeToString(sum[:]))
}

// DigestReader reads r to its end and returns its digest and length in bytes.
func DigestReader(r io.Reader) (Digest, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return DigestFrom(h), n, err
}

// DigestFrom is the digest of what was written into h, a sha256.
func DigestFrom(h hash.Hash) Digest {
	return Digest(digestPrefix + hex.EncodeToString(h.Sum(nil)))
}

// DigestError says that bytes are not the ones that were asked for.
type DigestError struct {
	Name string // what was read: a file, a URL, "blob"
	Want Digest
	Got  Digest
	From string // where it came from, if that is not the name
}

func (e *DigestError) Error() string {
	s := fmt.Sprintf("%s: digest mismatch: expected %s, got %s", e.Name, e.Want, e.Got)
	if e.From != "" {
		s += " from " + e.From + ": fetch it again, or from another place; if it was changed on purpose, change the digest that the recipe or the lock expects"
	}
	return s
}

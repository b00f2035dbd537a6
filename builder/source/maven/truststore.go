package maven

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the format's own checksum, no signature
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf16"
)

// defaultBundle is where Debian's ca-certificates keeps the authorities that the machine trusts,
// local ones included.
const defaultBundle = "/etc/ssl/certs/ca-certificates.crt"

const (
	maxBundle     = 16 << 20 // bytes
	storePassword = "changeit"
)

// bundle returns the host's file of authorities: what env says (SSL_CERT_FILE), or Debian's.
func bundle(env []string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "SSL_CERT_FILE="); ok && v != "" {
			return v
		}
	}
	return defaultBundle
}

// writeTrustStore makes a Java key store of a PEM bundle. A Java in another tree would
// otherwise not know the authorities that the user's machine trusts, such as those of a company's
// proxy. A bundle that is not there gives no store.
func writeTrustStore(bundle, name string) (made bool, err error) {
	f, err := os.Open(bundle)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxBundle))
	if err != nil {
		return false, err
	}
	store, err := trustStore(text)
	if err != nil {
		return false, fmt.Errorf("%s: %w", bundle, err)
	}
	return true, os.WriteFile(name, store, 0o644)
}

// trustStore encodes the certificates of a PEM text as a key store of type JKS
// (sun.security.provider.JavaKeyStore: header, entries, SHA-1 over the password and all of it).
func trustStore(text []byte) ([]byte, error) {
	var entries bytes.Buffer
	count := uint32(0)
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			continue // Java would refuse the whole store
		}
		entry := binary.BigEndian.AppendUint32(nil, 2) // a trusted certificate
		entry = appendUTF(entry, fmt.Sprintf("ca-%d", count))
		entry = binary.BigEndian.AppendUint64(entry, 0) // when it was put in
		entry = appendUTF(entry, "X.509")
		entry = binary.BigEndian.AppendUint32(entry, uint32(len(block.Bytes)))
		entries.Write(append(entry, block.Bytes...))
		count++
	}
	if count == 0 {
		return nil, errors.New("holds no certificate")
	}
	out := binary.BigEndian.AppendUint32(nil, 0xfeedfeed)
	out = binary.BigEndian.AppendUint32(out, 2) // version
	out = binary.BigEndian.AppendUint32(out, count)
	out = append(out, entries.Bytes()...)
	sum := sha1.New()
	for _, u := range utf16.Encode([]rune(storePassword)) {
		sum.Write([]byte{byte(u >> 8), byte(u)})
	}
	sum.Write([]byte("Mighty Aphrodite"))
	sum.Write(out)
	return sum.Sum(out), nil
}

// appendUTF appends s as java.io.DataOutput.writeUTF does; s is ASCII here.
func appendUTF(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

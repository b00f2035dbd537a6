package rootfs

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the format's own integrity check
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sort"
	"time"
	"unicode/utf16"
)

// keystorePath is where ca-certificates-java keeps the certificates for Java programs, a JKS file.
const keystorePath = "etc/ssl/certs/java/cacerts"

// keystorePassword is the one that ca-certificates-java uses; it only guards against accidents.
const keystorePassword = "changeit"

const (
	jksMagic   = 0xFEEDFEED
	jksVersion = 2
	jksTrusted = 2 // tag of a trusted certificate; 1 is a private key
)

var errKeystore = errors.New("not a JKS key store of trusted certificates")

// sealKeystore sets the date of each entry of the key store to the epoch and sorts the entries.
func sealKeystore(root *os.Root, s SealSpec) error {
	content, err := readOptional(root, keystorePath)
	if err != nil || len(content) == 0 {
		return err
	}
	if len(content) < 4 || binary.BigEndian.Uint32(content) != jksMagic {
		return nil // PKCS#12, which keytool writes without dates
	}
	sealed, err := sealJKS(content, s.Epoch)
	if err != nil {
		return fmt.Errorf("%s: %w", keystorePath, err)
	}
	if bytes.Equal(sealed, content) {
		return nil
	}
	return root.WriteFile(keystorePath, sealed, 0o644) // keeps owner and mode
}

// jksEntry is one certificate: what lies before and after its date.
type jksEntry struct {
	alias string
	body  []byte // certificate type and certificate
}

// sealJKS rewrites a JKS file (the layout is in the source of sun.security.provider.JavaKeyStore):
// magic, version, count; per entry tag, alias, date in ms, certificate type, certificate; then the
// SHA-1 of the password, "Mighty Aphrodite" and all of it.
func sealJKS(content []byte, epoch time.Time) ([]byte, error) {
	if len(content) < sha1.Size {
		return nil, errKeystore
	}
	data, sum := content[:len(content)-sha1.Size], content[len(content)-sha1.Size:]
	if !bytes.Equal(jksSum(data), sum) {
		return nil, fmt.Errorf("%w: its check sum is wrong (is the password %q?)", errKeystore, keystorePassword)
	}
	entries, err := readJKS(data)
	if err != nil {
		return nil, err
	}
	sort.SliceStable(entries, func(i, j int) bool { return entries[i].alias < entries[j].alias })
	out := binary.BigEndian.AppendUint32(nil, jksMagic)
	out = binary.BigEndian.AppendUint32(out, jksVersion)
	out = binary.BigEndian.AppendUint32(out, uint32(len(entries)))
	for _, e := range entries {
		out = binary.BigEndian.AppendUint32(out, jksTrusted)
		out = binary.BigEndian.AppendUint16(out, uint16(len(e.alias)))
		out = append(out, e.alias...)
		out = binary.BigEndian.AppendUint64(out, uint64(epoch.UnixMilli()))
		out = append(out, e.body...)
	}
	return append(out, jksSum(out)...), nil
}

func readJKS(data []byte) ([]jksEntry, error) {
	r := jksReader{rest: data}
	magic, version, count := r.uint32(), r.uint32(), r.uint32()
	if r.short || magic != jksMagic || version != jksVersion {
		return nil, errKeystore
	}
	var entries []jksEntry
	for range count {
		tag, alias := r.uint32(), r.take(int(r.uint16()))
		r.take(8)
		start := r.rest
		r.take(int(r.uint16()))
		r.take(int(r.uint32()))
		if r.short || tag != jksTrusted {
			return nil, errKeystore
		}
		entries = append(entries, jksEntry{alias: string(alias), body: start[:len(start)-len(r.rest)]})
	}
	if len(r.rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", errKeystore, len(r.rest))
	}
	return entries, nil
}

func jksSum(data []byte) []byte {
	h := sha1.New() //nolint:gosec // see above
	for _, unit := range utf16.Encode([]rune(keystorePassword)) {
		h.Write([]byte{byte(unit >> 8), byte(unit)})
	}
	h.Write([]byte("Mighty Aphrodite"))
	h.Write(data)
	return h.Sum(nil)
}

// jksReader takes numbers and bytes off a slice; short is set when there are too few.
type jksReader struct {
	rest  []byte
	short bool
}

func (r *jksReader) take(n int) []byte {
	if r.short || n < 0 || n > len(r.rest) {
		r.short = true
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *jksReader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *jksReader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

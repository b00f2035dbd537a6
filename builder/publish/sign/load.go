package sign

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
)

// pemStart begins a key that is given as it is, in the environment.
const pemStart = "-----BEGIN"

// Load reads the private key of a setting: a file's path, or the PEM text itself, as an environment variable has
// it. passphraseFile is asked if passphrase is empty; it may be "".
func Load(setting, passphrase, passphraseFile string) (*Key, error) {
	from, text, err := read(setting)
	if err != nil {
		return nil, err
	}
	secret := []byte(passphrase)
	if passphrase == "" && passphraseFile != "" {
		if secret, err = readFile(passphraseFile); err != nil {
			return nil, fmt.Errorf("passphrase of the signing key: %w", err)
		}
		secret = bytes.TrimRight(secret, "\r\n")
	}
	key, err := ParseKey(text, secret)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", from, err)
	}
	return key, nil
}

// LoadPublic reads a public key: a file's path, or the PEM text itself.
func LoadPublic(setting string) (*Public, error) {
	from, text, err := read(setting)
	if err != nil {
		return nil, err
	}
	key, err := ParsePublic(text)
	if err != nil {
		return nil, fmt.Errorf("public key %s: %w", from, err)
	}
	return key, nil
}

// IsText tells whether a setting is the key itself and not the path of a file with it.
func IsText(setting string) bool { return strings.HasPrefix(strings.TrimSpace(setting), pemStart) }

func read(setting string) (from string, text []byte, err error) {
	if IsText(setting) {
		return "in the environment", []byte(setting), nil
	}
	text, err = readFile(setting)
	if err != nil {
		return "", nil, fmt.Errorf("key: %w", err)
	}
	return setting, text, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxKey+1))
	if err == nil && len(text) > MaxKey {
		err = fmt.Errorf("%s: more than %d bytes are no key", path, MaxKey)
	}
	return text, err
}

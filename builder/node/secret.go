package node

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/mesos-forge/forge/builder/cluster"
)

// SecretsDir holds one file for each secret of a node, mode 0600. The seed
// writes them, or the node makes its own at the first boot.
const SecretsDir = "/etc/forge/secrets"

const (
	maxSecretName = 63
	maxSecret     = 1024
	secretLength  = 32 // of those that are made: 190 bits
	base62        = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

var secretName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// CheckSecretName tells whether a name can be a secret's: a-z, 0-9 and inner
// hyphens, at most 63 bytes.
func CheckSecretName(name string) error {
	if len(name) > maxSecretName || !secretName.MatchString(name) {
		return fmt.Errorf("%.80q is not the name of a secret; use a-z, 0-9 and inner hyphens, 1 to %d characters", name, maxSecretName)
	}
	return nil
}

// CheckSecret tells whether a secret can be carried and rendered: one line of
// 1 to 1024 bytes of UTF-8 without control characters. The error names it, and
// never holds its value.
func CheckSecret(name, value string) error {
	if err := CheckSecretName(name); err != nil {
		return err
	}
	control := func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }
	switch {
	case value == "":
		return fmt.Errorf("the secret %s is empty", name)
	case len(value) > maxSecret:
		return fmt.Errorf("the secret %s has %d bytes, more than %d", name, len(value), maxSecret)
	case strings.ContainsFunc(value, control):
		return fmt.Errorf("the secret %s is not one line of text; write it without control characters and line breaks", name)
	}
	return nil
}

// NewSecret returns a secret of 32 random letters and digits.
func NewSecret() string {
	var b strings.Builder
	for b.Len() < secretLength {
		var random [2 * secretLength]byte
		_, _ = rand.Read(random[:]) // never fails (crypto/rand)
		for _, r := range random {
			// 248 is the largest multiple of 62 in a byte: what is above would make some letters likelier.
			if r < 248 && b.Len() < secretLength {
				b.WriteByte(base62[r%62])
			}
		}
	}
	return b.String()
}

// WantedOn tells whether a node of the cluster, as it sees itself, uses the secret.
func (s Secret) WantedOn(d *cluster.Derived) (bool, error) {
	r := &renderer{data: Data{Derived: *d}}
	wanted, err := r.truth("if", s.If)
	if err != nil {
		return false, fmt.Errorf("secret %s: if: %w", s.Name, err)
	}
	return wanted, nil
}

// secret returns what the image's components declare about a secret. It is
// shared if one of them says so.
func (img *Image) secret(name string) (Secret, error) {
	found := Secret{}
	var known []string
	for _, c := range slices.Sorted(maps.Keys(img.Components)) {
		for _, s := range img.Components[c].Secrets {
			if s.Name == name {
				found = Secret{Name: name, Shared: found.Shared || s.Shared}
			}
			known = append(known, s.Name)
		}
	}
	if found.Name == "" {
		slices.Sort(known)
		known = slices.Compact(known)
		return found, fmt.Errorf("no component of this image declares the secret %q%s; declared: %s", name, cluster.DidYouMean(name, known), listOrNone(known))
	}
	return found, nil
}

// ReadSecret returns the value of a secret that is there. One that is not is
// an error for which errors.Is(err, fs.ErrNotExist). It changes nothing.
func (n *Node) ReadSecret(name string) (string, error) {
	if err := CheckSecretName(name); err != nil {
		return "", err
	}
	file := path.Join(SecretsDir, name)
	// O_NOFOLLOW, O_NONBLOCK: a link or a pipe in place of the file is refused below, not followed or waited for.
	f, err := os.OpenFile(n.path(file), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return "", fmt.Errorf("secret %s: %s is a link; put a file of root's there, mode 0600", name, file)
	}
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", name, err)
	}
	defer func() { _ = f.Close() }()
	fi, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", name, err)
	}
	if err := n.checkSecretFile(file, fi); err != nil {
		return "", fmt.Errorf("secret %s: %w", name, err)
	}
	data, err := readAllBounded(f, file, maxSecret+2)
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", name, err)
	}
	value := strings.TrimSuffix(data, "\n")
	if err := CheckSecret(name, value); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return value, nil
}

func (n *Node) checkSecretFile(file string, fi fs.FileInfo) error {
	if !fi.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file; put a file of root's there, mode 0600", file)
	}
	if fi.Mode().Perm()&0o177 != 0 {
		return fmt.Errorf("%s has the mode %#o, which lets others use it; change it, after asking who read it: chmod 0600 %s", file, fi.Mode().Perm(), file)
	}
	// Tests run as somebody else, below a root directory of their own.
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && (n.Root == "/" || int(st.Uid) != os.Geteuid()) {
		return fmt.Errorf("%s belongs to the user %d; make it root's: chown root:root %s", file, st.Uid, file)
	}
	return nil
}

// Secret returns the value of a secret that a component of the image declares.
// One that is not there yet, and that no other node needs, is made: it is on
// disk before anybody uses it, and never made again.
func (n *Node) Secret(img *Image, name string) (string, error) {
	declared, err := img.secret(name)
	if err != nil {
		return "", err
	}
	value, err := n.ReadSecret(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return value, err
	}
	if declared.Shared {
		return "", fmt.Errorf("the secret %s, which all nodes share, is not there: %s does not exist; bring it with the seed: forge seed --all makes one for the whole cluster, forge seed --node NAME --secret %s=FILE takes yours",
			name, path.Join(SecretsDir, name), name)
	}
	if err := n.makeSecret(name, NewSecret()); err != nil {
		return "", fmt.Errorf("make the secret %s: %w", name, err)
	}
	return n.ReadSecret(name)
}

// makeSecret writes a secret, unless one is there.
func (n *Node) makeSecret(name, value string) error {
	dir := n.path(SecretsDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// The name is fixed, so that what a killed run left is overwritten by the next one.
	tmp := filepath.Join(dir, ".forge-new."+name)
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp) }()
	if err := writeNew(tmp, owned{content: []byte(value + "\n"), mode: 0o600, uid: os.Geteuid(), gid: os.Getegid()}); err != nil {
		return err
	}
	// A link, not a rename: it never replaces a secret.
	if err := os.Link(tmp, filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

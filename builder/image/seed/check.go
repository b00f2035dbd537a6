package seed

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"github.com/mesos-forge/forge/builder/node"
)

// validate returns a *SpecError for the first field that is wrong.
func (s Spec) validate() error {
	checks := []struct {
		field string
		check func() error
	}{
		{"Node", func() error { return checkName(s.Node) }},
		{"Role", func() error { return checkName(s.Role) }},
		{"Inventory", func() error { return checkInventory(s.Inventory) }},
		{"Address", func() error { return checkAddress(s.Address) }},
		{"Gateway", func() error { return checkGateway(s.Gateway, s.Address) }},
		{"DNS", func() error { return checkDNS(s.DNS) }},
		{"SSHKeys", func() error { return checkKeys(s.SSHKeys) }},
		{"Mounts", func() error { return checkMounts(s.Mounts) }},
		{"Secrets", func() error { return checkSecrets(s.Secrets) }},
		{"Parts", func() error { return checkParts(s) }},
		{"Identity", func() error { return checkIdentity(s.Identity) }},
		{"Epoch", func() error { return checkEpoch(s.Epoch) }},
	}
	for _, c := range checks {
		if err := c.check(); err != nil {
			return &SpecError{Node: s.Node, Field: c.field, Err: err}
		}
	}
	return nil
}

func checkName(name string) error {
	label := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	if len(name) > maxName || !label.MatchString(name) {
		return fmt.Errorf("%.80q is not a name; use a-z, 0-9 and inner hyphens, 1 to %d characters", name, maxName)
	}
	return nil
}

func checkInventory(b []byte) error {
	if len(b) > MaxInventory {
		return fmt.Errorf("%d bytes are more than the %d that a seed carries; make the inventory smaller or bake it into the image", len(b), MaxInventory)
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return errors.New("it holds a NUL byte and can't be YAML; give the inventory as plain text")
	}
	return nil
}

func checkAddress(s string) error {
	if s == "" {
		return nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return fmt.Errorf("%q is not an address with a prefix length such as 10.0.0.11/24: %w", s, err)
	}
	if p.Bits() == 0 {
		return fmt.Errorf("%q has prefix length 0; give the length of the node's network", s)
	}
	if p.Addr().Is4() && p.Bits() < 31 && p.Addr() == p.Masked().Addr() {
		return fmt.Errorf("%q is the address of the network itself; give the node's own address", s)
	}
	return checkUnicast(p.Addr())
}

func checkGateway(s, address string) error {
	if s == "" {
		return nil
	}
	a, err := parseAddr(s)
	if err != nil {
		return err
	}
	if address == "" {
		return errors.New("a gateway without an address; give Address too, or leave both to DHCP")
	}
	p, err := netip.ParsePrefix(address)
	if err != nil {
		return err
	}
	if !p.Contains(a) || p.Addr() == a {
		return fmt.Errorf("%s is not another address inside %s; the node could not reach it", a, p.Masked())
	}
	return nil
}

func checkDNS(servers []string) error {
	if len(servers) > maxDNS {
		return fmt.Errorf("%d name servers are more than %d", len(servers), maxDNS)
	}
	for _, s := range servers {
		if _, err := parseAddr(s); err != nil {
			return err
		}
	}
	return nil
}

func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return a, fmt.Errorf("%q is not an IP address (without a prefix length): %w", s, err)
	}
	return a, checkUnicast(a)
}

func checkUnicast(a netip.Addr) error {
	if a.Zone() != "" || a.Is4In6() || a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return fmt.Errorf("%s is not the plain unicast address of one machine", a)
	}
	return nil
}

func checkKeys(keys []string) error {
	if len(keys) > maxKeys {
		return fmt.Errorf("%d keys are more than %d", len(keys), maxKeys)
	}
	for i, k := range keys {
		odd := func(r rune) bool { return r == utf8.RuneError || r != '\t' && !unicode.IsPrint(r) }
		if len(k) > maxKeyLine || strings.ContainsFunc(k, odd) {
			return fmt.Errorf("key %d is not one line of at most %d bytes of printable text", i+1, maxKeyLine)
		}
		_, _, options, _, err := ssh.ParseAuthorizedKey([]byte(k))
		if err != nil {
			return fmt.Errorf("key %d is not a public key as in authorized_keys (\"ssh-ed25519 AAAA... name\"): %w", i+1, err)
		}
		if len(options) > 0 {
			return fmt.Errorf("key %d carries options (%s); give the key alone", i+1, options[0])
		}
	}
	return nil
}

func checkMounts(mounts []Mount) error {
	if len(mounts) > maxMounts {
		return fmt.Errorf("%d mounts are more than %d", len(mounts), maxMounts)
	}
	for _, m := range mounts {
		if !path.IsAbs(m.Path) || path.Clean(m.Path) == "/" {
			return fmt.Errorf("%q is not an absolute path below /", m.Path)
		}
		for _, word := range []string{m.Path, m.Source, m.Device, m.Options} {
			// fstab(5) parts its fields by white space, and escapes with backslashes.
			odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' || r == '#' }
			if len(word) > 1024 || strings.ContainsFunc(word, odd) {
				return fmt.Errorf("%q is not a word of fstab: printable ASCII without spaces, # and backslashes", word)
			}
		}
	}
	return nil
}

func checkSecrets(secrets map[string]string) error {
	if len(secrets) > maxSecrets {
		return fmt.Errorf("%d secrets are more than %d", len(secrets), maxSecrets)
	}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if err := node.CheckSecret(name, secrets[name]); err != nil {
			return err
		}
	}
	return nil
}

func checkIdentity(id Identity) error {
	if id == "" || slices.Contains(Identities(), id) {
		return nil
	}
	return fmt.Errorf("%.80q is no place of a node's identity; it is one of %q", string(id), Identities())
}

func checkEpoch(t time.Time) error {
	if y := t.UTC().Year(); y < 1970 || y > 2099 {
		return fmt.Errorf("%s is outside 1970 to 2099; pass the lock's date", t.UTC().Format(time.RFC3339))
	}
	return nil
}

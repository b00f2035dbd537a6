package builder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/image/seed"
)

const (
	exampleInventory = "cluster.example.yaml" // in the checkout
	maxKeyFile       = 1 << 20
)

// SeedOptions say whose seed is made, and from what.
type SeedOptions struct {
	Node      string
	Inventory string   // path of cluster.yaml
	SSHKeys   []string // each a public key, or the name of a file with some
	Shell     bool     // a root shell on the serial console
	Identity  string   // where the seed says who the node is: one of [SeedIdentities]; "" is the first
}

// SeedIdentities returns the places of a seed that may say who the node is, the default first.
func SeedIdentities() []string {
	var names []string
	for _, id := range seed.Identities() {
		names = append(names, string(id))
	}
	return names
}

// Seed is what makes a clone of an image one node of an inventory.
type Seed struct {
	Node      cluster.Node
	Cluster   string
	Inventory string // path

	spec seed.Spec
}

// NewSeed reads the inventory and finds the node in it.
func NewSeed(opt SeedOptions) (*Seed, error) {
	data, inv, err := readInventory(opt.Inventory)
	if err != nil {
		return nil, err
	}
	d, err := inv.Derive(opt.Node, cluster.Machine{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", opt.Inventory, err)
	}
	s := &Seed{Node: d.Node, Cluster: inv.Name, Inventory: opt.Inventory}
	s.spec = seed.Spec{Node: d.Node.Name, Role: d.Node.Role, Inventory: data, Identity: seed.Identity(opt.Identity), Shell: opt.Shell, Epoch: time.Unix(0, 0)}
	if network, ok := inv.NetworkOf(d.Node.Address); ok {
		s.spec.Address = fmt.Sprintf("%s/%d", d.Node.Address, network.Prefix().Bits())
		s.spec.Gateway, s.spec.DNS = network.Gateway, network.DNS
	}
	for _, k := range opt.SSHKeys {
		keys, err := publicKeys(k)
		if err != nil {
			return nil, err
		}
		s.spec.SSHKeys = append(s.spec.SSHKeys, keys...)
	}
	return s, nil
}

// Write writes the seed as a NoCloud ISO, mode 0600, and makes the folder above it.
func (s *Seed) Write(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("seed of node %s: %w", s.Node.Name, err)
	}
	return seed.WriteISO(path, s.spec)
}

// readInventory reads and checks an inventory; its bytes go into the seed as they are.
func readInventory(path string) ([]byte, *cluster.Inventory, error) {
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("no inventory: %s does not exist; copy %s to %s and change the addresses, or name another one with --inventory",
			path, exampleInventory, filepath.Base(path))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("inventory: %w", err)
	}
	if !fi.Mode().IsRegular() || fi.Size() > cluster.MaxBytes {
		return nil, nil, fmt.Errorf("inventory %s: not a file of at most %d bytes", path, cluster.MaxBytes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("inventory: %w", err)
	}
	inv, err := cluster.Decode(path, strings.NewReader(string(data)))
	return data, inv, err
}

// publicKeys returns the public keys that a person gave: one itself, or a file's lines.
func publicKeys(given string) ([]string, error) {
	for _, kind := range []string{"ssh-", "ecdsa-", "sk-"} {
		if strings.HasPrefix(given, kind) && strings.Contains(given, " ") {
			return []string{given}, nil
		}
	}
	fi, err := os.Stat(given)
	if err != nil {
		return nil, fmt.Errorf("SSH key: %w; give a file such as ~/.ssh/id_ed25519.pub, or the key itself in quotes", err)
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxKeyFile {
		return nil, fmt.Errorf("SSH key: %s is not a file of at most %d bytes", given, maxKeyFile)
	}
	data, err := os.ReadFile(given)
	if err != nil {
		return nil, fmt.Errorf("SSH key: %w", err)
	}
	if strings.Contains(string(data), "PRIVATE KEY") {
		return nil, fmt.Errorf("SSH key: %s holds a private key, which must not leave this machine; give %s.pub", given, given)
	}
	var keys []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			keys = append(keys, line)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("SSH key: %s holds no key", given)
	}
	return keys, nil
}

package builder

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/image/seed"
)

const (
	exampleInventory = "cluster.example.yaml" // in the checkout
	maxKeyFile       = 1 << 20
)

// SeedsDir is the folder of seeds in a folder for results.
func SeedsDir(out string) string { return filepath.Join(out, "seeds") }

// SecretsDir is the folder in a folder for results that keeps what nodes share.
func SecretsDir(out string) string { return filepath.Join(SeedsDir(out), "secrets") }

// SeedOptions say whose seed is made, and from what.
type SeedOptions struct {
	Node      string
	Inventory string   // path of cluster.yaml
	SSHKeys   []string // each a public key, or the name of a file with some
	Shell     bool     // a root shell on the serial console
	Identity  string   // where the seed says who the node is: one of [SeedIdentities]; "" is the first
	Format    string   // one of [SeedFormats]; "" is the first
	UserData  []string // names of files with the operator's own user-data

	// Secrets are NAME=FILE, or NAME=- for what Stdin gives; the last line may end or not.
	Secrets []string
	Stdin   io.Reader
	// Declared are the secrets that the stack's roles need; nil where no stack is known. Those that the
	// nodes share are made where nobody gives them, and kept in SecretsDir/CLUSTER for the next seed.
	Declared   StackSecrets
	SecretsDir string
}

// SeedIdentities returns the places of a seed that may say who the node is, the default first.
func SeedIdentities() []string { return words(seed.Identities()) }

// SeedFormats returns the forms in which a seed is written, the default first.
func SeedFormats() []string { return words(seed.Formats()) }

func words[T ~string](list []T) []string {
	var all []string
	for _, w := range list {
		all = append(all, string(w))
	}
	return all
}

// Seed is what makes a clone of an image one node of an inventory.
type Seed struct {
	Node      cluster.Node
	Cluster   string
	Inventory string // path
	Format    seed.Format
	Identity  seed.Identity
	Secrets   []string // names of those that it carries, sorted
	Warnings  []string

	spec seed.Spec
}

// NewSeed reads the inventory and finds the node in it.
func NewSeed(opt SeedOptions) (*Seed, error) {
	in, err := readSeedInput(opt)
	if err != nil {
		return nil, err
	}
	return in.seed(opt.Node)
}

// NewSeeds makes a seed for each node of the inventory, in its order.
func NewSeeds(opt SeedOptions) ([]*Seed, error) {
	in, err := readSeedInput(opt)
	if err != nil {
		return nil, err
	}
	var seeds []*Seed
	for _, name := range in.inventory.NodeNames() {
		s, err := in.seed(name)
		if err != nil {
			return nil, err
		}
		seeds = append(seeds, s)
	}
	return seeds, nil
}

// seedInput is what the seeds of all nodes are made of.
type seedInput struct {
	opt       SeedOptions
	data      []byte // of the inventory
	inventory *cluster.Inventory
	keys      []string
	parts     []seed.Part
	secrets   map[string]string // by name
}

func readSeedInput(opt SeedOptions) (*seedInput, error) {
	in := &seedInput{opt: opt}
	var err error
	if in.data, in.inventory, err = readInventory(opt.Inventory); err != nil {
		return nil, err
	}
	for _, k := range opt.SSHKeys {
		keys, err := publicKeys(k)
		if err != nil {
			return nil, err
		}
		in.keys = append(in.keys, keys...)
	}
	for _, name := range opt.UserData {
		content, err := readRegular("user-data", name, seed.MaxPart)
		if err != nil {
			return nil, err
		}
		in.parts = append(in.parts, seed.Part{Name: name, Content: content})
	}
	in.secrets, err = givenSecrets(opt)
	return in, err
}

func (in *seedInput) seed(name string) (*Seed, error) {
	d, err := in.inventory.Derive(name, cluster.Machine{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in.opt.Inventory, err)
	}
	s := &Seed{Node: d.Node, Cluster: in.inventory.Name, Inventory: in.opt.Inventory,
		Format: seed.Format(cmp.Or(in.opt.Format, SeedFormats()[0])), Identity: seed.Identity(cmp.Or(in.opt.Identity, SeedIdentities()[0]))}
	s.spec = seed.Spec{Node: d.Node.Name, Role: d.Node.Role, Inventory: in.data, SSHKeys: in.keys, Parts: in.parts,
		Identity: s.Identity, Shell: in.opt.Shell, Epoch: time.Unix(0, 0)}
	if network, ok := in.inventory.NetworkOf(d.Node.Address); ok {
		s.spec.Address = fmt.Sprintf("%s/%d", d.Node.Address, network.Prefix().Bits())
		s.spec.Gateway, s.spec.DNS = network.Gateway, network.DNS
	}
	for _, m := range d.Mounts {
		s.spec.Mounts = append(s.spec.Mounts, seed.Mount{Path: m.Path, Source: m.Source, Device: m.Device, Options: m.Options})
	}
	if s.spec.Secrets, err = in.secretsOf(d); err != nil {
		return nil, fmt.Errorf("node %s: %w", d.Node.Name, err)
	}
	s.Secrets = slices.Sorted(maps.Keys(s.spec.Secrets))
	s.warn()
	return s, nil
}

// warn says what is no error, and still not what one may expect.
func (s *Seed) warn() {
	if len(s.Secrets) > 0 && !s.Format.HasMetaData() {
		s.Warnings = append(s.Warnings, fmt.Sprintf("every process on a machine of most clouds, EC2 among them, may ask for the machine's user-data, and so for its secrets: %s", strings.Join(s.Secrets, ", ")))
	}
	for _, p := range s.spec.Parts {
		if ignored := p.Ignored(); len(ignored) > 0 {
			s.Warnings = append(s.Warnings, fmt.Sprintf("%s: an image of forge's runs none of cloud-init's modules that read %s", p.Name, strings.Join(ignored, ", ")))
		}
	}
}

// FileName is the seed's usual name: "slave1.iso".
func (s *Seed) FileName() string { return s.Node.Name + s.Format.Suffix() }

// Write writes the seed in its format, mode 0600, and makes the folder above it.
func (s *Seed) Write(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("seed of node %s: %w", s.Node.Name, err)
	}
	return seed.Write(path, s.Format, s.spec)
}

// WriteSeeds writes seeds into a folder, each with its usual name, which it returns with the folder's.
// Where one of them can't be made, none replaces what is there.
func WriteSeeds(dir string, seeds []*Seed) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("seeds: %w", err)
	}
	work, err := os.MkdirTemp(dir, ".seeds-")
	if err != nil {
		return nil, fmt.Errorf("seeds: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	for _, s := range seeds {
		if err := s.Write(filepath.Join(work, s.FileName())); err != nil {
			return nil, err
		}
	}
	var paths []string
	for _, s := range seeds {
		to := filepath.Join(dir, s.FileName())
		if err := os.Rename(filepath.Join(work, s.FileName()), to); err != nil {
			return paths, fmt.Errorf("seed of node %s: %w", s.Node.Name, err)
		}
		paths = append(paths, to)
	}
	return paths, nil
}

// readInventory reads and checks an inventory; its bytes go into the seed as they are.
func readInventory(path string) ([]byte, *cluster.Inventory, error) {
	data, err := readRegular("inventory", path, cluster.MaxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		err = NoInventory(path)
	}
	if err != nil {
		return nil, nil, err
	}
	inv, err := cluster.Decode(path, strings.NewReader(string(data)))
	return data, inv, err
}

// NoInventory says that there is none at a path.
func NoInventory(path string) error {
	return fmt.Errorf("no inventory: %s does not exist; forge init --to %s writes one, or name another one with --inventory", path, path)
}

// publicKeys returns the public keys that a person gave: one itself, or a file's lines.
func publicKeys(given string) ([]string, error) {
	for _, kind := range []string{"ssh-", "ecdsa-", "sk-"} {
		if strings.HasPrefix(given, kind) && strings.Contains(given, " ") {
			return []string{given}, nil
		}
	}
	data, err := readRegular("SSH key", given, maxKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w; give a file such as ~/.ssh/id_ed25519.pub, or the key itself in quotes", err)
	}
	if err != nil {
		return nil, err
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

// readRegular reads a file that somebody names on the command line.
func readRegular(what, name string, limit int64) ([]byte, error) {
	fi, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if !fi.Mode().IsRegular() || fi.Size() > limit {
		return nil, fmt.Errorf("%s: %s is not a file of at most %d bytes", what, name, limit)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return data, nil
}

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

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/recipe"
)

// maxSecretFile is the most that is read of a file with a secret, in bytes.
const maxSecretFile = 4096

// StackSecrets are the secrets that components declare, by the role that has them.
type StackSecrets map[string][]node.Secret

// LoadStackSecrets reads which secrets the roles of a stack need. Where the checkout holds no stack at
// all it returns nil: a seed needs none.
func LoadStackSecrets(checkout, stack string) (StackSecrets, error) {
	root := os.DirFS(checkout)
	if stacks, err := recipe.ListStacks(root); err != nil || len(stacks) == 0 {
		return nil, nil
	}
	s, err := recipe.Load(root, stack)
	if err != nil {
		return nil, err
	}
	return secretsOf(s), nil
}

func secretsOf(s *recipe.Stack) StackSecrets {
	declared := StackSecrets{}
	for name, r := range s.Roles {
		declared[name] = []node.Secret{}
		for _, c := range r.Components {
			declared[name] = append(declared[name], s.Components[c].Secrets...)
		}
	}
	return declared
}

// names of all secrets, sorted.
func (d StackSecrets) names() []string {
	var names []string
	for _, secrets := range d {
		for _, s := range secrets {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ErrSecretForm says how a secret is given.
var ErrSecretForm = errors.New("--secret wants NAME=FILE, or NAME=- for standard input; never the secret itself, which other users would see in the list of processes")

// givenSecrets reads what the operator gives: each NAME=FILE, or NAME=-.
func givenSecrets(opt SeedOptions) (map[string]string, error) {
	given := map[string]string{}
	for _, arg := range opt.Secrets {
		name, file, ok := strings.Cut(arg, "=")
		if !ok || file == "" {
			return nil, ErrSecretForm
		}
		if err := node.CheckSecretName(name); err != nil {
			return nil, fmt.Errorf("--secret: %w", err)
		}
		if known := opt.Declared.names(); opt.Declared != nil && !slices.Contains(known, name) {
			return nil, fmt.Errorf("--secret %s: no component of the stack declares this secret%s; declared: %s", name, cluster.DidYouMean(name, known), cmp.Or(strings.Join(known, ", "), "none"))
		}
		if _, twice := given[name]; twice {
			return nil, fmt.Errorf("--secret %s is given twice", name)
		}
		value, err := readSecret(name, file, opt.Stdin)
		if err != nil {
			return nil, err
		}
		given[name] = value
	}
	return given, nil
}

// readSecret reads one line from a file that only its owner may read, from a pipe, or for "-" from stdin.
func readSecret(name, file string, stdin io.Reader) (string, error) {
	from := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("secret %s: %w", name, err)
		}
		defer func() { _ = f.Close() }()
		fi, err := f.Stat()
		if err != nil {
			return "", fmt.Errorf("secret %s: %w", name, err)
		}
		if fi.Mode().IsRegular() && fi.Mode().Perm()&0o077 != 0 {
			return "", fmt.Errorf("secret %s: others may read %s (mode %#o); if nobody did: chmod 0600 %s", name, file, fi.Mode().Perm(), file)
		}
		from = f
	}
	if from == nil {
		return "", fmt.Errorf("secret %s: there is no standard input to read it from", name)
	}
	data, err := io.ReadAll(io.LimitReader(from, maxSecretFile+1))
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", name, err)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if err := node.CheckSecret(name, value); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return value, nil
}

// secretsOf returns what the seed of a node of the role carries: what the operator gives, and what the
// components of its role share and it uses.
func (in *seedInput) secretsOf(d *cluster.Derived) (map[string]string, error) {
	if in.opt.Declared == nil {
		return in.secrets, nil
	}
	role := d.Node.Role
	declared, ok := in.opt.Declared[role]
	if roles := slices.Sorted(maps.Keys(in.opt.Declared)); !ok {
		return nil, fmt.Errorf("the stack has no role %q%s; its roles: %s; mend the inventory, or name another stack with --stack", role, cluster.DidYouMean(role, roles), strings.Join(roles, ", "))
	}
	secrets := map[string]string{}
	for _, s := range declared {
		value, given := in.secrets[s.Name]
		wanted, err := s.WantedOn(d)
		if err != nil {
			return nil, err
		}
		if s.Shared && wanted {
			dir := in.opt.SecretsDir
			if dir != "" {
				dir = filepath.Join(dir, in.inventory.Name) // two clusters share none
			}
			if value, err = keptSecret(dir, s.Name, value); err != nil {
				return nil, err
			}
		}
		if given || s.Shared && wanted {
			secrets[s.Name] = value
		}
	}
	return secrets, nil
}

// keptSecret returns the shared secret that a folder keeps. Where there is none, the given one is kept
// from now on, or if it is "" a new one.
func keptSecret(dir, name, given string) (string, error) {
	if dir == "" {
		return "", fmt.Errorf("the nodes share the secret %s; give it with --secret %s=FILE", name, name)
	}
	file := filepath.Join(dir, name)
	switch kept, err := readSecret(name, file, nil); {
	case err == nil && given != "" && given != kept:
		return "", fmt.Errorf("secret %s: the one given is not the one that earlier seeds of this cluster carry, which %s keeps; remove that file if the new one is meant, and make all seeds again", name, file)
	case err == nil:
		return kept, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	if err := keepSecret(file, cmp.Or(given, node.NewSecret())); err != nil {
		return "", fmt.Errorf("secret %s: %w", name, err)
	}
	return keptSecret(dir, name, given)
}

// keepSecret makes a file, mode 0600, unless somebody was faster.
func keepSecret(file, value string) error {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(filepath.Dir(filepath.Dir(dir)), 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(value + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

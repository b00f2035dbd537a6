package builder

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/publish/aptrepo"
	"github.com/mesos-forge/forge/builder/step"
)

// AptOptions say how packages are published in an apt repository.
type AptOptions struct {
	Dir string // the repository
	URL string // where clients find it; "": the folder itself

	// KeyFiles hold OpenPGP private keys, all of which sign. Without one it is Key, armored.
	KeyFiles []string
	Key      string
	// Passphrase unlocks the keys; "": what PassphraseFile has.
	Passphrase     string
	PassphraseFile string

	Suite, Origin, Label string // "": the stack's name, "Forge", and the origin

	ValidFor      time.Duration
	NewKey        bool
	AllowStandins bool
	KeepVersions  int
	History       int
}

// AptResult is what was published, and what a client needs.
type AptResult struct {
	aptrepo.Result
	Sources string `json:"sources"` // for a file such as /etc/apt/sources.list.d/forge.sources
}

// clientKey is where the sources of clients name the repository's key.
const clientKey = "/etc/apt/keyrings/forge.asc"

// PublishApt adds the packages of the output folder to an apt repository.
func (b *Builder) PublishApt(ctx context.Context, opt AptOptions) (*AptResult, error) {
	keys, err := opt.keys(time.Now())
	if err != nil {
		return nil, err
	}
	debs, err := filepath.Glob(filepath.Join(b.opt.Out, "debs", "*.deb"))
	if err != nil {
		return nil, err
	}
	if len(debs) == 0 {
		return nil, fmt.Errorf("no package is in %s: forge build makes them", filepath.Join(b.opt.Out, "debs"))
	}
	dir, err := filepath.Abs(opt.Dir)
	if err != nil {
		return nil, err
	}
	tools, err := b.publishTools(ctx)
	if err != nil {
		return nil, err
	}
	origin := cmp.Or(opt.Origin, "Forge")
	spec := aptrepo.Spec{Dir: dir, Debs: debs, Keys: keys, Tools: tools, Suite: cmp.Or(opt.Suite, b.stack.Name), Codename: b.stack.Distribution.Suite,
		Origin: origin, Label: cmp.Or(opt.Label, origin), Description: b.stack.Summary, Architectures: b.stack.Arch, Date: b.opt.Epoch, Now: time.Now(),
		ValidFor: opt.ValidFor, NewKey: opt.NewKey, AllowStandins: opt.AllowStandins, KeepVersions: opt.KeepVersions, History: opt.History}
	sink, started := event.ForStep(b.opt.Sink, "publish "+spec.Suite), time.Now()
	sink.Emit(event.Event{Kind: event.StepStart})
	res, err := aptrepo.Publish(ctx, spec)
	if err != nil {
		sink.Emit(event.Event{Kind: event.StepFail, Duration: time.Since(started), Err: err.Error()})
		return nil, err
	}
	sink.Emit(event.Event{Kind: event.StepDone, Duration: time.Since(started)})
	url := cmp.Or(opt.URL, "file:"+dir)
	return &AptResult{Result: *res, Sources: fmt.Sprintf("Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nArchitectures: %s\nSigned-By: %s\n",
		url, spec.Suite, strings.Join(spec.Architectures, " "), clientKey)}, nil
}

// publishTools is a tree with the programs that write indexes. Where a recipe names none of its own it is Debian's.
func (b *Builder) publishTools(ctx context.Context) (string, error) {
	b.made = map[string]*step.Step{}
	programs := b.stack.Tools.Publish
	if len(programs) == 0 {
		return "", fmt.Errorf("the stack %s names no tools for publishing: write into its stack.yaml, below tools: publish: [apt-utils]", b.stack.Name)
	}
	tree := b.toolsTree("tools-publish", programs)
	g, err := step.NewGraph(tree)
	if err != nil {
		return "", err
	}
	done, err := b.exec.Execute(ctx, g)
	if err != nil {
		return "", fmt.Errorf("make a tree with %s: %w", strings.Join(programs, ", "), err)
	}
	return b.store.TreePath(ctx, done[tree.Name].Outputs["tree"].Digest)
}

// keys reads what signs.
func (opt AptOptions) keys(now time.Time) ([]*aptrepo.Key, error) {
	passphrase := []byte(opt.Passphrase)
	if opt.Passphrase == "" && opt.PassphraseFile != "" {
		text, err := readPrivate(opt.PassphraseFile, maxSecretFile)
		if err != nil {
			return nil, fmt.Errorf("passphrase of the signing key: %w", err)
		}
		passphrase = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	}
	const unlock = "FORGE_SIGNING_PASSPHRASE or --passphrase-file gives it"
	if len(opt.KeyFiles) == 0 {
		if opt.Key == "" {
			return nil, errors.New("no key to sign with: name the file of an OpenPGP private key with --key, or put the armored key into FORGE_SIGNING_KEY")
		}
		k, err := aptrepo.ReadKey([]byte(opt.Key), passphrase, now)
		if errors.Is(err, aptrepo.ErrKeyPassphrase) {
			err = fmt.Errorf("%w; %s", err, unlock)
		}
		if err != nil {
			return nil, fmt.Errorf("FORGE_SIGNING_KEY: %w", err)
		}
		return []*aptrepo.Key{k}, nil
	}
	var keys []*aptrepo.Key
	for _, file := range opt.KeyFiles {
		text, err := readPrivate(file, aptrepo.MaxKey)
		if err != nil {
			return nil, fmt.Errorf("signing key: %w", err)
		}
		k, err := aptrepo.ReadKey(text, passphrase, now)
		if errors.Is(err, aptrepo.ErrKeyPassphrase) {
			err = fmt.Errorf("%w; %s", err, unlock)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if slices.ContainsFunc(keys, func(other *aptrepo.Key) bool { return other.Fingerprint() == k.Fingerprint() }) {
			return nil, fmt.Errorf("%s: the key %s is given twice", file, k)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// readPrivate reads a file that only its owner may read, or a pipe.
func readPrivate(file string, most int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if fi.Mode().IsRegular() && fi.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others may read %s (mode %#o); if nobody did: chmod 0600 %s", file, fi.Mode().Perm(), file)
	}
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s has more than %d bytes", file, most)
	}
	return text, err
}

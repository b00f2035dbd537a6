package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/bundle"
	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/step"
)

// goModules returns the step that takes down, and keeps, the files of Go modules that the programs of the checkout are
// compiled of: outputs by their paths at a module proxy.
func (b *Builder) goModules(programs []string) *step.Step {
	paths := []string{"go.mod", "go.sum", "go.work", "go.work.sum"}
	args := []string{"go", "list", "-deps"}
	for _, p := range programs {
		paths, args = append(paths, programSources(p)...), append(args, "./cmd/"+p)
	}
	return &step.Step{Name: "go-modules", Kind: "go-modules", Version: 1, Settings: struct{ Programs []string }{programs},
		Inputs: sourceInputs(b.opt.Checkout, paths...),
		Run: func(ctx context.Context, r *step.Run) error {
			proxies, err := b.moduleProxies(ctx)
			if err != nil {
				return err
			}
			// A cache that is empty at first holds in the end what go wants, and no more.
			cache := filepath.Join(r.Dir, "modules")
			env := append(goEnv(), "GOMODCACHE="+cache, "GOPROXY="+proxies, "GOFLAGS=-modcacherw", "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
			if err := b.runGo(ctx, r, args, env); err != nil {
				return err
			}
			return putModules(r, filepath.Join(cache, "cache", "download"))
		}}
}

// goSettings are those of go that say where modules come from.
var goSettings = []string{"GOPROXY", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOSUMDB", "GOINSECURE", "GOAUTH", "GOPATH", "GOMODCACHE", "GOENV", "GOCACHE"}

// goEnv is the user's environment with the settings of go.
func goEnv() []string {
	env := append(sandbox.UserEnv(), "PATH="+os.Getenv("PATH"))
	for _, name := range goSettings {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// moduleProxies are the host's own module cache and, after that, where the user's go fetches modules.
func (b *Builder) moduleProxies(ctx context.Context) (string, error) {
	var out, errs bytes.Buffer
	err := sandbox.Run(ctx, sandbox.Spec{Args: []string{"go", "env", "GOMODCACHE", "GOPROXY"}, Dir: b.opt.Checkout, Env: goEnv(), Stdout: &out, Stderr: &errs})
	if err != nil {
		return "", fmt.Errorf("go env: %w\n%s", err, errs.Bytes())
	}
	cache, proxy, _ := strings.Cut(strings.TrimSpace(out.String()), "\n")
	if b.opt.Offline || proxy == "" {
		proxy = "off"
	}
	return "file://" + filepath.Join(cache, "cache", "download") + "," + proxy, nil
}

// putModules makes the files that identify modules outputs: what else is in the cache go makes of them.
func putModules(r *step.Run, dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".mod" && filepath.Ext(name) != ".zip" {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		return r.PutFile(filepath.ToSlash(rel), name)
	})
}

// moduleEnv tells go where modules are. With a bundle they come from it alone, and from a folder that is laid
// out as a module proxy; go compares them with go.sum.
func (b *Builder) moduleEnv(dir string) ([]string, error) {
	switch {
	case b.opt.bundle == nil && b.opt.Offline:
		return []string{"GOPROXY=off", "GOFLAGS="}, nil
	case b.opt.bundle == nil:
		return []string{"GOFLAGS="}, nil
	}
	proxy, found := filepath.Join(dir, "proxy"), false
	for _, in := range b.opt.bundle.index.Inputs {
		if in.Kind != bundle.KindModule {
			continue
		}
		found = true
		if !filepath.IsLocal(in.Name) {
			return nil, fmt.Errorf("bundle %s: %s is no path", b.opt.bundle.path, in)
		}
		blob, err := b.store.BlobPath(in.SHA256)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", in, err)
		}
		to := filepath.Join(proxy, in.Name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.Symlink(blob, to)); err != nil {
			return nil, err
		}
	}
	if !found { // written by a release: its programs came ready
		return []string{"GOPROXY=off", "GOFLAGS="}, nil
	}
	return []string{"GOMODCACHE=" + filepath.Join(dir, "modules"), "GOPROXY=file://" + proxy, "GOSUMDB=off", "GOFLAGS=-modcacherw"}, nil
}

// runGo runs go in the checkout.
func (b *Builder) runGo(ctx context.Context, r *step.Run, args, env []string) error {
	said := &firstBytes{}
	err := sandbox.Run(ctx, sandbox.Spec{Args: args, Dir: b.opt.Checkout, Env: env, Stdout: r.Log, Stderr: io.MultiWriter(r.Log, said)})
	lacks := func(sign string) bool { return strings.Contains(string(said.text), sign) }
	if err != nil && b.opt.Offline && slices.ContainsFunc(noModule, lacks) {
		return fmt.Errorf("%w\nA Go module is not at hand, and no module proxy may be asked (--offline): %s", err, vendorHint)
	}
	return err
}

// noModule are words by which go says that a proxy of files, or none, has not got a module.
var noModule = []string{"module lookup disabled by GOPROXY=off", "reading file://", "cannot find module providing"}

// firstBytes keeps the first 64 KiB of what is written.
type firstBytes struct{ text []byte }

func (f *firstBytes) Write(p []byte) (int, error) {
	f.text = append(f.text, p[:min(len(p), 64<<10-len(f.text))]...)
	return len(p), nil
}

// moduleInputs are the files that the step goModules made outputs.
func moduleInputs(outputs map[string]step.Output) []bundle.Input {
	var out []bundle.Input
	for _, name := range sortedNames(outputs) {
		o := outputs[name]
		version := strings.TrimSuffix(path.Base(name), path.Ext(name))
		out = append(out, bundle.Input{Kind: bundle.KindModule, Name: name, Version: version, Size: o.Size, SHA256: o.Digest})
	}
	return out
}

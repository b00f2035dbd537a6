package builder

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mesos-forge/forge/builder/deb"
	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/source/file"
	"github.com/mesos-forge/forge/builder/source/http"
	"github.com/mesos-forge/forge/builder/source/maven"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// debSettings are what goes into a package besides the recipe and the files of the checkout.
type debSettings struct {
	Maintainer string
	StandIn    bool     // the manifest says that a stand-in takes the upstream package's place
	Packages   []string // "NAME VERSION" of the package and of those that it depends on exactly
}

func (b *Builder) debSettings(standIn bool, self string, components []string) debSettings {
	set := debSettings{Maintainer: b.stack.Maintainer, StandIn: standIn, Packages: []string{self}}
	for _, name := range components {
		c := b.stack.Components[name]
		set.Packages = append(set.Packages, c.PackageName()+" "+c.PackageVersion())
	}
	return set
}

// debs returns the steps that make the packages of a role.
func (b *Builder) debs(r *recipe.Role) []*step.Step {
	var out []*step.Step
	for _, name := range r.Components {
		c := b.stack.Components[name]
		if c.Upstream != nil {
			out = append(out, b.once("deb/"+c.Upstream.Package, func(step string) *step.Step { return b.upstream(step, c) }))
		}
		if c.PackageName() != "" {
			out = append(out, b.once("deb/"+c.PackageName(), func(step string) *step.Step {
				set := b.debSettings(b.standsIn(c), c.PackageName()+" "+c.PackageVersion(), c.Requires)
				return b.deb(step, c.Layout, b.artifacts(c), b.stack.ComponentInputs(c.Name), set,
					func(in deb.Inputs) (deb.Spec, error) { return deb.ForComponent(in, c, b.standsIn(c)) })
			}))
		}
	}
	return append(out, b.once("deb/"+r.PackageName(), func(step string) *step.Step {
		set := b.debSettings(false, r.PackageName()+" "+b.stack.RoleVersion(r), r.Components)
		return b.deb(step, nil, nil, b.stack.RoleInputs(r.Name), set,
			func(in deb.Inputs) (deb.Spec, error) { return deb.ForRole(in, r) })
	}))
}

// standsIn tells whether a stand-in takes the place of the component's upstream package: the
// operator's file, if there is one, comes first.
func (b *Builder) standsIn(c *recipe.Component) bool {
	return c.Upstream != nil && c.Upstream.Standin != nil && b.operatorFile(c) == ""
}

// operatorFile returns the operator's package of a component, or "".
func (b *Builder) operatorFile(c *recipe.Component) string {
	for _, s := range c.Artifacts[c.Upstream.Artifact].Sources {
		if s.File == "" || b.opt.Vendor == "" {
			continue
		}
		if found, _ := filepath.Glob(filepath.Join(b.opt.Vendor, s.File)); len(found) > 0 {
			return found[len(found)-1] // of several, the last by name, as Glob sorts them
		}
	}
	return ""
}

func (b *Builder) standIns(r *recipe.Role) []string {
	var out []string
	for _, name := range r.Components {
		if c := b.stack.Components[name]; b.standsIn(c) {
			out = append(out, c.Upstream.Package)
		}
	}
	return out
}

// upstream returns the step for a package that keeps its upstream's name: the operator's file
// as it is, or the stand-in.
func (b *Builder) upstream(name string, c *recipe.Component) *step.Step {
	if path := b.operatorFile(c); path != "" {
		return b.operatorDeb(name, c, path)
	}
	s := c.Upstream.Standin
	set := struct {
		debSettings
		Homepage string
		Dirs     []node.Dir
	}{b.debSettings(true, c.Upstream.Package+" "+s.Version, nil), c.Homepage, c.Dirs}
	return b.deb(name, s.Layout, nil, b.stack.StandinInputs(c.Name), set,
		func(in deb.Inputs) (deb.Spec, error) { return deb.ForStandin(in, c) })
}

func (b *Builder) operatorDeb(name string, c *recipe.Component, path string) *step.Step {
	in := map[string]store.Digest{}
	if f, err := os.Open(path); err == nil {
		in[filepath.Base(path)], _, _ = store.DigestReader(f)
		f.Close()
	}
	return &step.Step{Name: name, Kind: "operator-deb", Version: 1, Settings: filepath.Base(path), Inputs: in,
		Run: func(ctx context.Context, r *step.Run) error {
			vendor := file.Open(b.opt.Vendor)
			defer vendor.Close()
			a := source.Artifact{Name: c.Upstream.Artifact, File: filepath.Base(path), Digest: in[filepath.Base(path)]}
			a.Known = known(c.Artifacts[c.Upstream.Artifact])
			res, err := vendor.Fetch(ctx, a, b.store)
			if err != nil {
				return err
			}
			r.PutBlob("deb", res.Digest, res.Size)
			return r.PutJSON("info", deb.Result{Filename: res.File})
		}}
}

// deb returns the step that makes one package; spec says what is in it.
func (b *Builder) deb(name string, layout []recipe.Operation, artifacts *step.Step, in []recipe.Input, settings any,
	spec func(deb.Inputs) (deb.Spec, error)) *step.Step {
	s := &step.Step{Name: name, Kind: "deb", Version: 3, Settings: settings, Inputs: digests(in)}
	if artifacts != nil {
		s.Needs = append(s.Needs, artifacts.Out("files"))
	}
	programs := map[string]*step.Step{}
	for _, op := range layout {
		if op.Program != "" {
			programs[op.Program] = b.program(op.Program)
			s.Needs = append(s.Needs, programs[op.Program].Out("program"))
		}
	}
	s.Run = func(ctx context.Context, r *step.Run) error {
		inputs := deb.Inputs{Stack: b.stack, Checkout: b.opt.Checkout, TempDir: r.Dir}
		if len(layout) > 0 {
			inputs.Tree = filepath.Join(r.Dir, "tree")
			if err := b.layOut(ctx, r, inputs.Tree, layout, artifacts, programs); err != nil {
				return err
			}
		}
		sp, err := spec(inputs)
		if err != nil {
			return err
		}
		date, err := sp.Date()
		if err != nil {
			return err
		}
		var res deb.Result
		err = r.Write("deb", func(w io.Writer) (err error) {
			res, err = deb.Build(ctx, sp, date, w)
			return err
		})
		if err != nil {
			return err
		}
		return r.PutJSON("info", res)
	}
	return s
}

// fetched is an artifact in the store.
type fetched struct {
	File   string
	Digest store.Digest
	Size   int64 // bytes
}

// artifacts returns the step that fetches what a component is made of, or nil.
func (b *Builder) artifacts(c *recipe.Component) *step.Step {
	if len(c.Artifacts) == 0 || c.Upstream != nil && len(c.Artifacts) == 1 {
		return nil
	}
	return b.once("sources/"+c.Name, func(name string) *step.Step { return b.fetchArtifacts(name, c) })
}

func (b *Builder) fetchArtifacts(name string, c *recipe.Component) *step.Step {
	return &step.Step{Name: name, Kind: "sources", Version: 2, Settings: c.Artifacts, Inputs: b.pins.inputs(c),
		Run: func(ctx context.Context, r *step.Run) error {
			vendor := file.Open(b.opt.Vendor)
			defer vendor.Close()
			mvn := &maven.Client{Temp: r.Dir, Sink: r.Sink}
			web := http.New(http.Options{Sink: r.Sink})
			var names []string
			var wants []source.Want
			for artifact, a := range c.Artifacts {
				if c.Upstream != nil && c.Upstream.Artifact == artifact {
					continue // a package of its own
				}
				w, err := want(c.Name+"/"+artifact, a, vendor, mvn, web)
				if err != nil {
					return err
				}
				if line, ok := b.pins.artifact(w.Artifact.Name, a); ok {
					w.Artifact.Digest, w.Artifact.Size = sha256Digest(line.SHA256), line.Size
				}
				names, wants = append(names, artifact), append(wants, w)
			}
			results, err := source.FetchAll(ctx, wants, b.store, b.opt.Jobs, r.Sink)
			if err != nil {
				return err
			}
			files := map[string]fetched{}
			for i, res := range results {
				path, err := b.store.BlobPath(res.Digest)
				if err != nil {
					return err
				}
				info, err := os.Stat(path)
				if err != nil {
					return err
				}
				files[names[i]] = fetched{res.File, res.Digest, info.Size()}
			}
			return r.PutJSON("files", files)
		}}
}

// known returns the digests that a recipe allows for an artifact.
func known(a recipe.Artifact) []store.Digest {
	var out []store.Digest
	for _, hex := range a.SHA256 {
		out = append(out, store.Digest("sha256:"+hex))
	}
	return out
}

// want turns a recipe's artifact into what is asked of the sources, the operator's folder first.
func want(name string, a recipe.Artifact, vendor *file.Folder, mvn *maven.Client, web *http.Client) (source.Want, error) {
	w := source.Want{Artifact: source.Artifact{Name: name, Known: known(a)}, Places: []source.Source{vendor}}
	if len(a.SHA256) == 1 {
		w.Artifact.Digest = w.Artifact.Known[0]
	}
	for _, s := range a.Sources {
		switch {
		case s.Maven != "":
			co, err := maven.Parse(s.Maven)
			if err != nil {
				return w, fmt.Errorf("artifact %s: %w", name, err)
			}
			w.Artifact.File = co.File()
			w.Places = append(w.Places, mvn.Artifact(co))
		case s.HTTP != "":
			src, err := web.URL(s.HTTP)
			if err != nil {
				return w, fmt.Errorf("artifact %s: %w", name, err)
			}
			w.Places = append(w.Places, src)
		case s.File != "":
			w.Artifact.Pattern = s.File
		}
	}
	return w, nil
}

// program returns the step that compiles one of forge's own programs from the checkout.
func (b *Builder) program(name string) *step.Step {
	return b.once("program/"+name, func(called string) *step.Step { return b.compile(called, name) })
}

func (b *Builder) compile(called, name string) *step.Step {
	return &step.Step{Name: called, Kind: "go-build", Version: 1, Settings: []string{name, "amd64"},
		Inputs: sourceInputs(b.opt.Checkout, "go.mod", "go.sum", "cmd/"+name, "builder/node", "builder/cluster", "builder/event"),
		Run: func(ctx context.Context, r *step.Run) error {
			out := filepath.Join(r.Dir, name)
			err := sandbox.Run(ctx, sandbox.Spec{Args: []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", out, "./cmd/" + name},
				Dir: b.opt.Checkout, Env: append(sandbox.UserEnv(), "PATH="+os.Getenv("PATH"), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS="),
				Stdout: r.Log, Stderr: r.Log})
			if err != nil {
				return err
			}
			return r.PutFile("program", out)
		}}
}

// sourceInputs digests the files of the checkout below the given paths, tests left out. What can't
// be read is left out too: the step that needs it says so.
func sourceInputs(checkout string, paths ...string) map[string]store.Digest {
	in := map[string]store.Digest{}
	for _, p := range paths {
		_ = filepath.WalkDir(filepath.Join(checkout, p), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() && d.Name() == "testdata" {
				return fs.SkipDir
			}
			if matched, _ := filepath.Match("*_test.go", d.Name()); d.IsDir() || matched {
				return nil
			}
			rel, err := filepath.Rel(checkout, path)
			if err != nil {
				return err
			}
			if b, err := os.ReadFile(path); err == nil {
				in[rel] = store.DigestOf(b)
			}
			return nil
		})
	}
	return in
}

// digests turns what a recipe names into inputs of a step.
func digests(in []recipe.Input) map[string]store.Digest {
	out := map[string]store.Digest{}
	for _, i := range in {
		out[i.Name] = store.Digest("sha256:" + i.SHA256)
	}
	return out
}

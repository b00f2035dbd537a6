package builder

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/source/file"
	"github.com/mesos-forge/forge/builder/source/http"
	"github.com/mesos-forge/forge/builder/source/maven"
	"github.com/mesos-forge/forge/builder/source/pypi"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// fetched is an artifact in the store.
type fetched struct {
	File   string
	Digest store.Digest
	Size   int64 // bytes
	// StandIn tells that forge made it in place of the real one.
	StandIn bool `json:",omitempty"`
}

// artifacts returns the step that fetches what a component is made of, or nil.
func (b *Builder) artifacts(c *recipe.Component) *step.Step {
	fetch := false
	for name := range c.Artifacts {
		fetch = fetch || !b.taken(c, name)
	}
	if !fetch {
		return nil
	}
	return b.once("sources/"+c.Name, func(name string) *step.Step { return b.fetchArtifacts(name, c) })
}

// taken tells whether an artifact is not fetched with the others of its component: the operator's package,
// which is taken as it is, and the release archive where no package is made of it.
func (b *Builder) taken(c *recipe.Component, artifact string) bool {
	if !c.Upstreams(artifact) {
		return false
	}
	o := b.operator[c.Name]
	return artifact == c.Upstream.Artifact || o == nil || o.Release == ""
}

func (b *Builder) fetchArtifacts(name string, c *recipe.Component) *step.Step {
	s := &step.Step{Name: name, Kind: "sources", Version: 2, Settings: c.Artifacts, Inputs: b.pins.inputs(c)}
	own := b.files[c.Name]
	for path, digest := range own.found {
		s.Inputs["operator's file "+path] = digest
	}
	if len(own.standIns) > 0 {
		s.Settings = struct {
			Artifacts map[string]recipe.Artifact
			StandIns  []string
		}{c.Artifacts, own.standIns}
	}
	for _, name := range sortedNames(own.built) {
		s.Needs = append(s.Needs, own.built[name].jar.Out("jar"), own.built[name].jar.Out("info"))
	}
	var java *step.Step
	if _, err := exec.LookPath("mvn"); err != nil && usesMaven(c) && !b.opt.Offline {
		java = b.toolsTree("tools-java", b.stack.Tools.Java, "etc/hosts", "etc/resolv.conf")
		s.Needs = append(s.Needs, java.Out("tree"))
	}
	s.Run = func(ctx context.Context, r *step.Run) error {
		vendor := file.Open(b.opt.Vendor)
		defer vendor.Close()
		mvn := &maven.Client{Temp: r.Dir, Sink: r.Sink}
		if java != nil {
			tree, err := r.Tree(ctx, java.Out("tree"))
			if err != nil {
				return err
			}
			mvn.Root = tree
		}
		web := http.New(http.Options{Sink: r.Sink})
		index := &pypi.Client{Sink: r.Sink}
		first, err := b.ownPlaces(vendor, web)
		if err != nil {
			return err
		}
		files := map[string]fetched{}
		var names []string
		var wants []source.Want
		for artifact, a := range c.Artifacts {
			if slices.Contains(own.standIns, artifact) {
				if files[artifact], err = b.writeStandIn(r, artifact, a.Standin); err != nil {
					return err
				}
				continue
			}
			if b.taken(c, artifact) || slices.Contains(own.absent, artifact) {
				continue // a package of its own, or optional
			}
			if made, ok := own.built[artifact]; ok {
				line, pinned := b.pins.artifact(c.Name+"/"+artifact, a)
				if files[artifact], err = made.take(r, c.Name+"/"+artifact, line, pinned && !b.pins.write); err != nil {
					return err
				}
				continue
			}
			w, err := want(c.Name+"/"+artifact, a, first, places{mvn, index, web})
			if err != nil {
				return err
			}
			if b.opt.Offline {
				w.Places = first
			}
			if line, ok := b.pins.artifact(w.Artifact.Name, a); ok {
				w.Artifact.Digest, w.Artifact.Size = sha256Digest(line.SHA256), line.Size
			}
			if w.Artifact.File == "" { // what the store has already has no name
				if w.Artifact.File, err = b.operatorFile(c.Name, artifact); err != nil {
					return err
				}
			}
			names, wants = append(names, artifact), append(wants, w)
		}
		results, err := source.FetchAll(ctx, wants, b.store, b.opt.Jobs, r.Sink)
		if err != nil {
			return b.offlineHint(err)
		}
		for i, res := range results {
			path, err := b.store.BlobPath(res.Digest)
			if err != nil {
				return err
			}
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			files[names[i]] = fetched{File: res.File, Digest: res.Digest, Size: info.Size()}
		}
		return r.PutJSON("files", files)
	}
	return s
}

func usesMaven(c *recipe.Component) bool {
	for _, a := range c.Artifacts {
		if slices.ContainsFunc(a.Sources, func(s recipe.Source) bool { return s.Maven != "" }) {
			return true
		}
	}
	return false
}

// known returns the digests that a recipe allows for an artifact.
func known(a recipe.Artifact) []store.Digest {
	var out []store.Digest
	for _, hex := range a.SHA256 {
		out = append(out, sha256Digest(hex))
	}
	return out
}

// ownPlaces are where the operator's files may be, in the order in which they are asked.
func (b *Builder) ownPlaces(vendor *file.Folder, web *http.Client) (source.Chain, error) {
	places := source.Chain{vendor}
	if b.opt.Offline {
		return places, nil
	}
	for _, url := range b.opt.Mirrors {
		m, err := web.Mirror(url)
		if err != nil {
			return nil, fmt.Errorf("setting mirrors: %w", err)
		}
		places = append(places, m)
	}
	return places, nil
}

// places are the clients of public places.
type places struct {
	mvn   *maven.Client
	index *pypi.Client
	web   *http.Client
}

// want turns a recipe's artifact into what is asked of the sources, the operator's own places first.
func want(name string, a recipe.Artifact, own source.Chain, from places) (source.Want, error) {
	w := source.Want{Artifact: source.Artifact{Name: name, Known: known(a)}, Places: slices.Clone([]source.Source(own))}
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
			w.Places = append(w.Places, from.mvn.Artifact(co))
		case s.PyPI != "":
			req, err := pypi.Parse(s.PyPI)
			if err != nil {
				return w, fmt.Errorf("artifact %s: %w", name, err)
			}
			w.Artifact.File = req.File()
			w.Places = append(w.Places, from.index.Archive(req))
		case s.HTTP != "":
			src, err := from.web.URL(s.HTTP)
			if err != nil {
				return w, fmt.Errorf("artifact %s: %w", name, err)
			}
			if w.Artifact.File == "" {
				w.Artifact.File = src.File()
			}
			w.Places = append(w.Places, src)
		case s.File != "":
			w.Artifact.Pattern = s.File
		}
	}
	return w, nil
}

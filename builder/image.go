package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/step"
)

// layer compresses a tree as a layer of an image.
func (b *Builder) layer(tree *step.Step, delta bool) *step.Step {
	name := "layer/" + strings.TrimPrefix(tree.Name, "rootfs/")
	if s := b.layers[name]; s != nil {
		return s
	}
	s := &step.Step{Name: name, Kind: "oci-layer", Version: 1, Settings: treeSettings{Epoch: b.opt.Epoch.Unix()},
		Needs: []step.Ref{tree.Out("tree")},
		Run: func(ctx context.Context, r *step.Run) error {
			dir, err := r.Tree(ctx, tree.Out("tree"))
			if err != nil {
				return err
			}
			path := filepath.Join(r.Dir, "layer")
			f, err := os.Create(path)
			if err != nil {
				return err
			}
			info, err := oci.WriteLayer(ctx, dir, delta, b.opt.Epoch, f)
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
			if err := r.PutFile("layer", path); err != nil {
				return err
			}
			return r.PutJSON("info", info)
		}}
	b.layers[name] = s
	return s
}

type imageSettings struct {
	Role     string
	StandIns []string
	Config   oci.Config
}

// image writes down how a role's layers make an image; the layout itself is put together in the
// output folder, where it shares the layers' bytes.
func (b *Builder) image(r *recipe.Role, layers ...*step.Step) *step.Step {
	cfg := oci.Config{Role: r.Name, Ref: r.Name, Created: b.opt.Epoch, StandIns: b.standIns(r),
		Env:        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Entrypoint: []string{"/usr/bin/forge-node", "container-init"}, StopSignal: "SIGTERM"}
	for _, name := range r.Components {
		for _, s := range b.stack.Components[name].Services {
			for _, p := range s.Ports {
				if slices.Contains(r.Services, s.Name) {
					cfg.ExposedPorts = append(cfg.ExposedPorts, fmt.Sprintf("%d/tcp", p.Number))
				}
			}
		}
	}
	sort.Strings(cfg.ExposedPorts)
	var needs []step.Ref
	for _, l := range layers {
		needs = append(needs, l.Out("layer"), l.Out("info"))
	}
	return &step.Step{Name: "image/" + r.Name, Kind: "oci-image", Version: 1, Needs: needs,
		Settings: imageSettings{r.Name, cfg.StandIns, cfg},
		Run: func(_ context.Context, run *step.Run) error {
			var files []oci.LayerFile
			for _, l := range layers {
				path, err := run.Blob(l.Out("layer"))
				if err != nil {
					return err
				}
				var info oci.LayerInfo
				if err := run.JSON(l.Out("info"), &info); err != nil {
					return err
				}
				file := info.File(path, "forge "+l.Name)
				file.Path = "" // of this store; found anew by digest
				files = append(files, file)
			}
			return run.PutJSON("image", imageRecord{Config: cfg, Layers: files})
		}}
}

// imageRecord is what is needed to write the layout. The layers' paths are found anew by digest.
type imageRecord struct {
	Config oci.Config
	Layers []oci.LayerFile
}

package builder

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/step"
)

// layer compresses a tree as a layer of an image.
func (b *Builder) layer(tree *step.Step, delta bool) *step.Step {
	return b.once("layer/"+strings.TrimPrefix(tree.Name, "rootfs/"), func(name string) *step.Step {
		return &step.Step{Name: name, Kind: "oci-layer", Version: 2, Needs: []step.Ref{tree.Out("tree")},
			Settings: layerSettings{b.opt.Epoch.Unix(), delta},
			Run: func(ctx context.Context, r *step.Run) error {
				dir, err := r.Tree(ctx, tree.Out("tree"))
				if err != nil {
					return err
				}
				var info oci.LayerInfo
				err = r.Write("layer", func(w io.Writer) (err error) {
					info, err = oci.WriteLayer(ctx, dir, delta, b.opt.Epoch, w)
					return err
				})
				if err != nil {
					return err
				}
				return r.PutJSON("info", info)
			}}
	})
}

type layerSettings struct {
	Epoch int64
	Delta bool
}

// image writes down how a role's layers make an image; the layout itself is put together in the
// output folder.
func (b *Builder) image(r *recipe.Role, layers ...*step.Step) *step.Step {
	about := map[string]string{spec.AnnotationVersion: b.stack.RoleVersion(r), spec.AnnotationDescription: r.Summary,
		spec.AnnotationSource: homePage, oci.StackLabel: b.stack.Name}
	cfg := oci.Config{Role: r.Name, Ref: r.Name, Labels: about, Annotations: about, Created: b.opt.Epoch, StandIns: b.standIns(r),
		Env:        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Entrypoint: []string{"/usr/bin/forge-node", "container-init"}, StopSignal: "SIGTERM"}
	if r.Runs != nil {
		cfg.Entrypoint = r.Runs.Program
		for _, name := range sortedNames(r.Runs.Env) {
			cfg.Env = append(cfg.Env, name+"="+r.Runs.Env[name])
		}
	}
	for _, name := range r.Components {
		for _, s := range b.stack.Components[name].Services {
			if !slices.Contains(r.Services, s.Name) {
				continue
			}
			for _, p := range s.Ports {
				cfg.ExposedPorts = append(cfg.ExposedPorts, fmt.Sprintf("%d/tcp", p.Number))
			}
		}
	}
	slices.Sort(cfg.ExposedPorts)
	var needs []step.Ref
	for _, l := range layers {
		needs = append(needs, l.Out("layer"), l.Out("info"))
	}
	return &step.Step{Name: "image/" + r.Name, Kind: "oci-image", Version: 2, Needs: needs, Settings: cfg,
		Run: func(_ context.Context, run *step.Run) error {
			var files []oci.LayerFile
			for _, l := range layers {
				var info oci.LayerInfo
				if err := run.JSON(l.Out("info"), &info); err != nil {
					return err
				}
				files = append(files, info.File("", "forge "+l.Name))
			}
			return run.PutJSON("image", imageRecord{Config: cfg, Layers: files})
		}}
}

// imageRecord is what is needed to write the layout. It holds no paths: the layers are found in the
// store by digest.
type imageRecord struct {
	Config oci.Config
	Layers []oci.LayerFile
}

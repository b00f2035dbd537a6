package evidence

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/image/oci"
)

// compare holds the new results to the provenance: packages first, which images are made of.
func (r Rebuild) compare(ctx context.Context, v *Verified, opt builder.Options, made builder.RoleResult) error {
	built := map[string]string{}
	for _, f := range made.Files {
		built[filepath.ToSlash(f.Path)] = f.Digest.Hex()
	}
	n := 0
	for _, s := range v.Provenance.Subjects {
		got, ok := built[s.Name]
		switch {
		case strings.HasPrefix(s.Name, "debs/") && !ok:
			return r.differs(v, "step deb/%s: the rebuild has no %s", debName(s.Name), s.Name)
		case ok && got != s.SHA256:
			return r.differs(v, "step %s: %s has sha256 %s, the rebuild's %s%s", stepOf(s.Name, made.Role), s.Name, s.SHA256, got, r.inDeb(ctx, v, opt.Out, s))
		case ok:
			n++
		}
	}
	if made.Image != "" {
		for _, s := range v.Provenance.Subjects {
			if s.Name != filepath.ToSlash(made.Image) {
				continue
			}
			if "sha256:"+s.SHA256 != made.Digest {
				return r.imageDiffers(ctx, v, filepath.Join(opt.Out, made.Image))
			}
			n++
		}
	}
	v.pass("rebuild", "identical: %d results, bit for bit", n)
	return nil
}

// imageDiffers finds out where the rebuilt image is another one.
func (r Rebuild) imageDiffers(ctx context.Context, v *Verified, layout string) error {
	rebuilt, err := oci.InspectLayout(layout)
	if err != nil {
		return err
	}
	if v.image == nil {
		return r.differs(v, "step image/%s: the image's digest", v.Role)
	}
	for i, l := range rebuilt.Layers {
		if i < len(v.image.Layers) && v.image.Layers[i].Digest == l.Digest {
			continue
		}
		return r.differs(v, "step %s: %s", strings.TrimPrefix(l.History, "forge "), r.inImage(ctx, v, layout, i))
	}
	return r.differs(v, "step image/%s: the image's configuration, not its layers", v.Role)
}

func (r Rebuild) differs(v *Verified, format string, args ...any) error {
	return fmt.Errorf("%s: %w: %s; the rebuild is kept in %s", v.Name, ErrDiffers, fmt.Sprintf(format, args...), r.Dir)
}

// debName is the package of a file NAME_VERSION_ARCH.deb.
func debName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), "_")
	return name
}

// stepOf is the step that makes a result.
func stepOf(file, role string) string {
	if strings.HasPrefix(file, "debs/") {
		return "deb/" + debName(file)
	}
	return "disk/" + role
}

package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/compare"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/publish/provenance"
)

// The two sides of a comparison, in messages.
const (
	original = "the original"
	rebuilt  = "the rebuild"
)

// inImage says in which file layer number at of the original and the rebuilt image differ first.
func (r Rebuild) inImage(ctx context.Context, v *Verified, layout string, at int) string {
	d, err := r.firstInImage(ctx, v, layout, at)
	if err != nil {
		return fmt.Sprintf("layer %d; the file is not known: %v", at+1, err)
	}
	d.Layer = at + 1
	return d.Text(original, rebuilt)
}

func (r Rebuild) firstInImage(ctx context.Context, v *Verified, layout string, at int) (*compare.Difference, error) {
	var was *oci.Contents
	var err error
	if oci.IsLayout(v.Name) {
		was, err = oci.OpenLayout(v.Name)
	} else {
		was, err = oci.OpenRemote(ctx, v.Name, r.Remote)
	}
	if err != nil {
		return nil, err
	}
	is, err := oci.OpenLayout(layout)
	if err != nil {
		return nil, err
	}
	return firstIn(ctx, layersFrom(was, at), layersFrom(is, at))
}

// layersFrom is the layer at a place of an image; none, if it has no such place.
func layersFrom(c *oci.Contents, at int) []compare.Layer {
	if at >= len(c.Info.Layers) {
		return nil
	}
	l := c.Info.Layers[at]
	return []compare.Layer{{Name: fmt.Sprintf("layer %d", at+1), Digest: l.Digest, DiffID: l.DiffID, Size: l.Size, Made: l.History,
		Open: func(context.Context) (io.ReadCloser, error) { return c.Layer(at) }}}
}

func firstIn(ctx context.Context, a, b []compare.Layer) (*compare.Difference, error) {
	d, err := compare.First(ctx, a, b, compare.Limits{})
	if err == nil && d == nil {
		err = errors.New("what is unpacked is the same")
	}
	return d, err
}

// inDeb says in which file a package differs first, where the original lies in an output folder.
func (r Rebuild) inDeb(ctx context.Context, v *Verified, out string, s provenance.File) string {
	f, _, err := openFolder(v.Name)
	if err != nil {
		return "" // of an image in a registry: the package itself is not there
	}
	defer f.close()
	d, err := firstInDeb(ctx, filepath.Join(f.dir, s.Name), filepath.Join(out, s.Name))
	if err != nil {
		return fmt.Sprintf("; the file is not known: %v", err)
	}
	return "; " + d.Text(original, rebuilt)
}

func firstInDeb(ctx context.Context, a, b string) (*compare.Difference, error) {
	was, err := debLayer(ctx, a)
	if err != nil {
		return nil, err
	}
	defer was.file.Close()
	is, err := debLayer(ctx, b)
	if err != nil {
		return nil, err
	}
	defer is.file.Close()
	return firstIn(ctx, []compare.Layer{was.Layer}, []compare.Layer{is.Layer})
}

type openDeb struct {
	compare.Layer
	file *os.File
}

func debLayer(ctx context.Context, path string) (openDeb, error) {
	f, err := os.Open(path)
	if err != nil {
		return openDeb{}, err
	}
	fi, err := f.Stat()
	if err != nil {
		return openDeb{}, errors.Join(err, f.Close())
	}
	d, err := archive.OpenDeb(ctx, f, fi.Size(), archive.DebOptions{Name: filepath.Base(path)})
	if err != nil {
		return openDeb{}, errors.Join(err, f.Close())
	}
	return openDeb{compare.DebLayer(d), f}, nil
}

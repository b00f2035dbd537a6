package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/deb"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// place puts the results of a role into the output folder, each by one rename.
func (b *Builder) place(ctx context.Context, r role, done map[string]step.Done) (RoleResult, error) {
	if err := ctx.Err(); err != nil {
		return RoleResult{}, err
	}
	res := RoleResult{Role: r.name, Image: filepath.Join(r.name, "image")}
	for _, s := range r.debs {
		var info deb.Result
		d := done[s.Name]
		if err := b.readJSON(d.Outputs["info"].Digest, &info); err != nil {
			return res, err
		}
		if strings.Contains(info.Version, "~standin") {
			res.StandIns = append(res.StandIns, info.Name)
		}
		rel := filepath.Join("debs", info.Filename)
		if err := b.placeFile(ctx, d.Outputs["deb"].Digest, filepath.Join(b.opt.Out, rel)); err != nil {
			return res, err
		}
		res.Debs = append(res.Debs, rel)
	}
	digest, err := b.placeImage(ctx, done[r.image.Name].Outputs["image"].Digest, filepath.Join(b.opt.Out, res.Image))
	if err != nil {
		return res, err
	}
	res.Digest, res.Lock = digest, filepath.Join(r.name, lockFile)
	if err := b.placeFile(ctx, done[r.lock.Name].Outputs["lock"].Digest, filepath.Join(b.opt.Out, res.Lock)); err != nil {
		return res, err
	}
	for _, format := range b.opt.Formats {
		rel := filepath.Join(r.name, "disk."+string(format))
		if err := b.placeFile(ctx, done[r.disks[format].Name].Outputs["disk"].Digest, filepath.Join(b.opt.Out, rel)); err != nil {
			return res, err
		}
		res.Disks = append(res.Disks, rel)
	}
	return res, nil
}

func (b *Builder) readJSON(d store.Digest, v any) error {
	path, err := b.store.BlobPath(d)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// placeFile copies a blob to path, unless path is the untouched copy already, as the mark beside it says.
func (b *Builder) placeFile(ctx context.Context, d store.Digest, path string) error {
	mark := filepath.Join(filepath.Dir(path), "."+filepath.Base(path))
	if fi, err := os.Lstat(path); err == nil {
		if have, err := os.ReadFile(mark); err == nil && string(have) == string(d)+"\n"+store.Signature(fi) {
			return nil
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	blob, err := b.store.BlobPath(d)
	if err != nil {
		return err
	}
	tmp := path + ".part"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := errors.Join(copyFile(blob, tmp, 0o644), syncFile(tmp)); err != nil {
		os.Remove(tmp)
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	fi, err := os.Lstat(path)
	if err != nil {
		return err
	}
	return renameio.WriteFile(mark, []byte(string(d)+"\n"+store.Signature(fi)), 0o644)
}

// syncFile makes sure that the file is on the disk before it gets its name.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// placeImage writes the OCI layout, unless the one that is there is whole and the same.
func (b *Builder) placeImage(ctx context.Context, d store.Digest, dir string) (string, error) {
	var rec imageRecord
	if err := b.readJSON(d, &rec); err != nil {
		return "", err
	}
	mark := filepath.Join(filepath.Dir(dir), ".image")
	if digest, ok := placed(ctx, mark, d, dir); ok {
		return digest, nil
	}
	for i := range rec.Layers {
		path, err := b.store.BlobPath(store.Digest(rec.Layers[i].Digest))
		if err != nil {
			return "", fmt.Errorf("layer %d: %w", i+1, err)
		}
		rec.Layers[i].Path = path
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	tmp := dir + ".part"
	if err := os.RemoveAll(tmp); err != nil {
		return "", err
	}
	digest, err := oci.WriteLayout(tmp, rec.Layers, rec.Config)
	if err != nil {
		os.RemoveAll(tmp)
		return "", err
	}
	if err := errors.Join(os.RemoveAll(dir), os.Rename(tmp, dir)); err != nil {
		return "", err
	}
	sig, err := archive.StatSignature(ctx, dir)
	if err != nil {
		return "", err
	}
	return digest, renameio.WriteFile(mark, []byte(strings.Join([]string{string(d), digest, sig}, "\n")), 0o644)
}

// placed tells whether dir is the untouched layout of the image record d, and its manifest's digest.
// The mark beside it holds the record, that digest and the folder's stat signature.
func placed(ctx context.Context, mark string, d store.Digest, dir string) (string, bool) {
	b, err := os.ReadFile(mark)
	if err != nil {
		return "", false
	}
	have := strings.Split(string(b), "\n")
	if len(have) != 3 || have[0] != string(d) {
		return "", false
	}
	sig, err := archive.StatSignature(ctx, dir)
	return have[1], err == nil && sig == have[2]
}

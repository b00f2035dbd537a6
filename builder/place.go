package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
		var info debInfo
		d := done[s.Name]
		if err := b.readJSON(d.Outputs["info"].Digest, &info); err != nil {
			return res, err
		}
		if strings.Contains(info.Version, "~standin") {
			res.StandIns = append(res.StandIns, info.Name)
		}
		rel := filepath.Join("debs", info.Filename)
		if err := b.placeFile(d.Outputs["deb"].Digest, filepath.Join(b.opt.Out, rel)); err != nil {
			return res, err
		}
		res.Debs = append(res.Debs, rel)
	}
	digest, err := b.placeImage(done[r.image.Name].Outputs["image"].Digest, filepath.Join(b.opt.Out, res.Image))
	res.Digest = digest
	return res, err
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

// placeFile copies a blob to path, unless path has its bytes already.
func (b *Builder) placeFile(d store.Digest, path string) error {
	if f, err := os.Open(path); err == nil {
		have, _, err := store.DigestReader(f)
		f.Close()
		if err == nil && have == d {
			return nil
		}
	}
	blob, err := b.store.BlobPath(d)
	if err != nil {
		return err
	}
	tmp := path + ".part"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := place(blob, tmp, 0o644); err != nil {
		os.Remove(tmp)
		return err
	}
	return os.Rename(tmp, path)
}

// placeImage writes the OCI layout, unless the one that is there is whole and the same.
func (b *Builder) placeImage(d store.Digest, dir string) (string, error) {
	var rec imageRecord
	if err := b.readJSON(d, &rec); err != nil {
		return "", err
	}
	mark := filepath.Join(filepath.Dir(dir), ".image")
	if have, err := os.ReadFile(mark); err == nil && strings.HasPrefix(string(have), string(d)+"\n") {
		if digest, err := oci.Validate(dir); err == nil {
			return digest, nil
		}
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
	return digest, os.WriteFile(mark, []byte(string(d)+"\n"), 0o644)
}

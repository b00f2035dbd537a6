package builder

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/mesos-forge/forge/builder/rootfs"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// initrds keeps initramfs images in the store, as the result of a step that has no place in the
// graph: its key is known only while the tree is made.
type initrds struct {
	store *store.Store
	temp  string // folder in the store
}

var _ rootfs.InitrdCache = initrds{}

const initrdName = "initramfs"

func (c initrds) key(key string) store.Digest { return store.DigestOf([]byte(initrdName + " " + key)) }

// Get opens the image of a key. A result that can't be used is none: the image is made again.
func (c initrds) Get(_ context.Context, key string) (io.ReadCloser, error) {
	var rec step.Record
	b, err := c.store.Result(c.key(key))
	if err != nil || json.Unmarshal(b, &rec) != nil {
		return nil, nil
	}
	path, err := c.store.BlobPath(rec.Outputs["image"].Digest)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c.store.Use(c.key(key))
	return os.Open(path)
}

// Put keeps a copy of the image at path.
func (c initrds) Put(_ context.Context, key, path string) error {
	tmp := filepath.Join(c.temp, "initramfs")
	if err := copyFile(path, tmp, 0o644); err != nil {
		return err
	}
	d, n, err := c.store.AdoptFile(tmp, "")
	if err != nil {
		return err
	}
	rec := step.Record{Key: c.key(key), Step: initrdName, Kind: initrdName, Version: 1,
		Outputs: map[string]step.Output{"image": {Type: step.Blob, Digest: d, Size: n}}}
	b, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	return c.store.PutResult(initrdName, rec.Key, b)
}

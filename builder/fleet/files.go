package fleet

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/mesos-forge/forge/builder/cluster"
)

// put lays inventory and secrets into a container, which need not run.
func (f *Fleet) put(ctx context.Context, id string, n Node) error {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(name string, kind byte, mode int64, content []byte) error {
		h := &tar.Header{Name: strings.TrimPrefix(name, "/"), Typeflag: kind, Mode: mode, Size: int64(len(content)), Format: tar.FormatPAX}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := w.Write(content)
		return err
	}
	err := add(inventoryPath, tar.TypeReg, 0o644, n.Inventory)
	if len(n.Secrets) > 0 {
		err = errors.Join(err, add(secretsPath, tar.TypeDir, 0o700, nil))
	}
	for _, name := range slices.Sorted(maps.Keys(n.Secrets)) {
		err = errors.Join(err, add(path.Join(secretsPath, name), tar.TypeReg, 0o600, []byte(n.Secrets[name]+"\n")))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("files of node %s: %w", n.Name, err)
	}
	if err := f.Engine.CopyToContainer(ctx, id, "/", &b, container.CopyToContainerOptions{}); err != nil {
		return fmt.Errorf("files of node %s: %w", n.Name, err)
	}
	return nil
}

// read returns a file of a container; nil if there is none.
func (f *Fleet) read(ctx context.Context, b Box, name string) ([]byte, error) {
	r, _, err := f.Engine.CopyFromContainer(ctx, b.ID, name)
	if cerrdefs.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s of node %s: %w", name, b.Node, err)
	}
	defer r.Close()
	t := tar.NewReader(r)
	if _, err := t.Next(); err != nil {
		return nil, fmt.Errorf("%s of node %s: %w", name, b.Node, err)
	}
	content, err := io.ReadAll(io.LimitReader(t, cluster.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s of node %s: %w", name, b.Node, err)
	}
	return content, nil
}

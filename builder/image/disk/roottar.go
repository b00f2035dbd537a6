package disk

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
)

// writeRootTar writes what tree writes, with files in place of those of the same name, and after
// it the files whose names tree has not. copied is told the bytes of each.
func writeRootTar(ctx context.Context, w io.Writer, tree func(context.Context, io.Writer) error, files []file, epoch time.Time, copied func(int64)) error {
	r, tw := io.Pipe()
	made := make(chan error, 1)
	go func() {
		buffered := bufio.NewWriterSize(tw, pipeBuffer)
		err := tree(ctx, buffered)
		if err == nil {
			err = buffered.Flush()
		}
		tw.CloseWithError(err)
		made <- err
	}()
	out := tar.NewWriter(w)
	dirs, err := copyTree(out, r, files, copied)
	if err == nil {
		_, err = io.Copy(io.Discard, r) // what follows the end of the archive
	}
	r.CloseWithError(errStopped)
	if treeErr := <-made; treeErr != nil && !errors.Is(treeErr, errStopped) {
		return fmt.Errorf("disk: write the tree: %w", treeErr)
	}
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.dir && dirs[f.name] {
			continue
		}
		if err := writeFile(out, f, epoch); err != nil {
			return err
		}
		copied(f.size)
	}
	return out.Close()
}

// copyTree copies the entries of a tar that files do not replace, and returns which of files'
// directories it has.
func copyTree(out *tar.Writer, r io.Reader, files []file, copied func(int64)) (map[string]bool, error) {
	isDir := make(map[string]bool, len(files))
	for _, f := range files {
		isDir[f.name] = f.dir
	}
	dirs := map[string]bool{}
	in := tar.NewReader(r)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return dirs, nil
		} else if err != nil {
			return nil, fmt.Errorf("disk: read the tree: %w", err)
		}
		name := entryName(h.Name)
		dir, ours := isDir[name]
		switch {
		case ours && dir && h.Typeflag != tar.TypeDir:
			return nil, fmt.Errorf("disk: /%s must be a directory in the image, for what the disk writes into it", name)
		case ours && !dir && h.Typeflag == tar.TypeDir:
			return nil, fmt.Errorf("disk: /%s is a directory in the image, but the disk writes a file of that name", name)
		case ours && !dir:
			continue
		case ours:
			dirs[name] = true
		}
		if linked, ok := isDir[entryName(h.Linkname)]; h.Typeflag == tar.TypeLink && ok && !linked {
			return nil, fmt.Errorf("disk: /%s is a hard link to /%s, which the disk replaces: make it a file of its own", name, entryName(h.Linkname))
		}
		h.Format = tar.FormatUnknown // the writer chooses; a GNU format could not take extended attributes
		if err := out.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("disk: pass on /%s: %w", name, err)
		}
		if _, err := io.Copy(out, in); err != nil {
			return nil, fmt.Errorf("disk: pass on /%s: %w", name, err)
		}
		copied(h.Size)
	}
}

// entryName is the name of a tar entry as file.name has it.
func entryName(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

func writeFile(out *tar.Writer, f file, epoch time.Time) error {
	h := &tar.Header{Name: f.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: f.size, ModTime: epoch}
	if f.dir {
		h.Name, h.Typeflag, h.Mode = f.name+"/", tar.TypeDir, 0o755
	}
	if err := out.WriteHeader(h); err != nil {
		return fmt.Errorf("disk: add /%s: %w", f.name, err)
	}
	if f.dir {
		return nil
	}
	r, err := f.open()
	if err != nil {
		return fmt.Errorf("disk: add /%s: %w", f.name, err)
	}
	defer r.Close()
	if n, err := io.Copy(out, r); err != nil {
		return fmt.Errorf("disk: add /%s: %w", f.name, err)
	} else if n != f.size {
		return fmt.Errorf("disk: add /%s: it has %d bytes, not the %d it had before", f.name, n, f.size)
	}
	return nil
}

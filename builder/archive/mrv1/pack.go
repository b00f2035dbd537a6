package mrv1

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/klauspost/pgzip"

	"github.com/mesos-forge/forge/builder/archive"
)

// Pack writes the one folder below dir as an archive from which Mesos starts MapReduce 1, for a Hadoop that was
// never one of MapReduce 2. name is that of the archive, as in [Options]; clamp is the latest modification time.
// The folder is checked first: its name, bin/hadoop, and that every link stays inside and leads to something.
func Pack(ctx context.Context, dir, name string, clamp time.Time, w io.Writer) error {
	if err := check(dir, name); err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	gz, err := compressor(w)
	if err != nil {
		return err
	}
	err = archive.WriteTar(ctx, dir, gz, archive.TarOptions{Clamp: clamp})
	if closing := gz.Close(); err == nil {
		err = closing
	}
	return err
}

// compressor gives the same bytes whatever the number of processors. It must be closed.
func compressor(w io.Writer) (*pgzip.Writer, error) {
	gz, err := pgzip.NewWriterLevel(w, level)
	if err != nil {
		return nil, err
	}
	gz.ModTime = time.Unix(0, 0) // "no time" (RFC 1952, 2.3.1)
	return gz, gz.SetConcurrency(blockSize, max(2, runtime.GOMAXPROCS(0)))
}

func check(dir, name string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) != 1 || !entries[0].IsDir() {
		return fmt.Errorf("%d things at the top, not one folder", len(entries))
	}
	top := entries[0].Name()
	if err := foundByExecutor(top, name); err != nil {
		return err
	}
	program := filepath.Join(dir, top, "bin", "hadoop")
	if info, err := os.Stat(program); err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 != 0o111 {
		return fmt.Errorf("%s/bin/hadoop is missing, or not everybody can run it (%w)", top, err)
	}
	root, err := filepath.EvalSymlinks(filepath.Join(dir, top))
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.Type() != fs.ModeSymlink {
			return err
		}
		to, err := filepath.EvalSymlinks(at)
		if err != nil {
			return fmt.Errorf("a link leads to nothing: %w", err)
		}
		if to != root && !strings.HasPrefix(to, root+"/") {
			return fmt.Errorf("the link %s leads out of the archive", path.Join(top, strings.TrimPrefix(at, root)))
		}
		return nil
	})
}

// foundByExecutor: the executor goes into what stands before the first dot of the archive's name, and anything
// after it.
func foundByExecutor(top, name string) error {
	before, _, _ := strings.Cut(name, ".")
	if before == "" || !strings.HasPrefix(top, before) {
		return fmt.Errorf("the folder %s is not found by an executor that unpacks %s: it looks for %s*", top, name, before)
	}
	return nil
}

package builder

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/store"
)

// folderInputs digests the files of a folder of the checkout. What can't be read is left out: the step that needs it
// says so.
func folderInputs(checkout, folder string) []recipe.Input {
	var in []recipe.Input
	_ = walkFolder(checkout, folder, func(name string, mode fs.FileMode) error {
		if f, err := os.Open(filepath.Join(checkout, name)); err == nil {
			if d, _, err := store.DigestReader(f); err == nil {
				in = append(in, recipe.Input{Name: name + modeMark(mode), SHA256: d.Hex()})
			}
			f.Close()
		}
		return nil
	})
	return in
}

// modeMark tells an executable file's input from a plain one's.
func modeMark(mode fs.FileMode) string {
	if mode == 0o755 {
		return " (executable)"
	}
	return ""
}

// copyFolder copies a folder of the checkout to the path to, with the modes that git keeps.
func copyFolder(checkout, folder, to string) error {
	return walkFolder(checkout, folder, func(name string, mode fs.FileMode) error {
		rel, err := filepath.Rel(folder, name)
		if err != nil {
			return err
		}
		return copyFile(filepath.Join(checkout, name), filepath.Join(to, rel), mode)
	})
}

// walkFolder visits the files of a folder, by their paths in the checkout, in order. Links would lead out of the image.
func walkFolder(checkout, folder string, visit func(name string, mode fs.FileMode) error) error {
	root, err := os.OpenRoot(checkout)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s in the checkout is no plain file: only such files go into an image", name)
		}
		mode := fs.FileMode(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		return visit(name, mode)
	})
}

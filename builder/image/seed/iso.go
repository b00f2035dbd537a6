package seed

import (
	"os"
	"path/filepath"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"
	"github.com/google/renameio/v2"
)

// VolumeID is the label by which cloud-init finds a NoCloud seed.
const VolumeID = "cidata"

// WriteISO writes the NoCloud seed as an ISO 9660 image with Rock Ridge names
// to path, mode 0600, replacing a file that is there. The image is written
// beside path and renamed when it is whole. A Spec that is refused is a
// *SpecError, and nothing is written then.
func WriteISO(path string, spec Spec) error {
	return Write(path, NoCloudISO, spec)
}

// writeVolume writes the files of a validated spec, by their path in the image.
func writeVolume(path, label string, spec Spec, filesOf func(Spec) (map[string][]byte, error)) error {
	if err := replaceable(path); err != nil {
		return err
	}
	files, err := filesOf(spec)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	work, err := os.MkdirTemp(dir, ".seed-") // mode 0700: keys and addresses are nobody else's
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	for name, content := range files {
		to := filepath.Join(work, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			return err
		}
	}
	out, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	defer func() { _ = out.Cleanup() }()

	image, err := iso9660.Create(file.New(out.File, false), 0, 0, sectorSize, work)
	if err != nil {
		return err
	}
	if err := image.Finalize(iso9660.FinalizeOptions{RockRidge: true, VolumeIdentifier: label}); err != nil {
		return err
	}
	if err := settle(out.File, spec.Epoch); err != nil {
		return err
	}
	return out.CloseAtomicallyReplace()
}

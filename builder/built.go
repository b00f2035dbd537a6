package builder

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/publish"
	"github.com/mesos-forge/forge/builder/store"
)

// BuiltDisk finds a role's qcow2 in the output folder out. It has to be of the same build as the image beside it,
// which says what both are, stand-ins included: builds with [OnlyImages] leave an older disk there.
func BuiltDisk(out, role string) (oci.Disk, error) {
	rel := filepath.Join(role, "disk.qcow2")
	d := oci.Disk{Path: filepath.Join(out, rel)}
	if _, err := os.Stat(d.Path); errors.Is(err, fs.ErrNotExist) {
		return d, fmt.Errorf("no disk of the role %s is there: %w; \"forge build --role %s\" makes one", role, err, role)
	}
	image, err := oci.InspectLayout(filepath.Join(out, role, "image"))
	if err != nil {
		return d, err
	}
	sums, err := readSums(filepath.Join(out, SumsName))
	if err != nil {
		return d, err
	}
	if d.Digest = string(sums[rel]); d.Digest == "" {
		return d, fmt.Errorf("%s is not of the last build of the role, %s does not know it; \"forge build --role %s\" makes it anew", d.Path, SumsName, role)
	}
	d.StandIns, d.Annotations = image.StandIns, maps.Clone(image.Annotations)
	return d, nil
}

func readSums(path string) (map[string]store.Digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w; forge build writes it last, when all results are there", err)
	}
	defer f.Close()
	sums, err := publish.ReadSums(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return sums, nil
}

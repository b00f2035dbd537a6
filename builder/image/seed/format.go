package seed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Format is the form in which a cloud, or a machine's own user, hands a seed to
// cloud-init.
type Format string

// Formats of seeds.
const (
	NoCloudISO   Format = "nocloud-iso" // the default: a volume "cidata", for a machine of one's own
	UserDataFile Format = "user-data"   // user-data alone, where a cloud knows name and network
	OpenStack    Format = "openstack"   // a configuration drive, a volume "config-2"
	EC2          Format = "ec2"         // user-data alone, of at most MaxEC2 bytes
)

// Formats returns all formats, the default first.
func Formats() []Format { return []Format{NoCloudISO, UserDataFile, OpenStack, EC2} }

// Suffix is what the names of files of the format end with.
func (f Format) Suffix() string {
	switch f {
	case UserDataFile:
		return ".user-data"
	case EC2:
		return ".ec2.user-data"
	case OpenStack:
		return ".config-drive.iso"
	}
	return ".iso"
}

// HasMetaData says whether the format carries meta-data. Where it does not, the
// cloud's own says who the node is with [InMetaData]: properties of a server of
// OpenStack, tags of an instance of EC2.
func (f Format) HasMetaData() bool { return f == "" || f == NoCloudISO || f == OpenStack }

// Write writes the seed to path, mode 0600, in a format; "" is [NoCloudISO]. A
// file that is there is replaced, by a whole one or not at all. A Spec that is
// refused is a *SpecError, and nothing is written then.
func Write(path string, format Format, spec Spec) error {
	if err := spec.validate(); err != nil {
		return err
	}
	var err error
	switch format {
	case "", NoCloudISO:
		err = writeVolume(path, VolumeID, spec, noCloudFiles)
	case OpenStack:
		err = writeVolume(path, ConfigDriveID, spec, openStackFiles)
	case UserDataFile:
		err = writeUserData(path, spec, userDataOf)
	case EC2:
		err = writeUserData(path, spec, ec2UserData)
	default:
		return &SpecError{Node: spec.Node, Field: "Format", Err: fmt.Errorf("%.80q is no format of a seed; it is one of %q", string(format), Formats())}
	}
	var refused *SpecError
	if err == nil || errors.As(err, &refused) {
		return err
	}
	return fmt.Errorf("seed of node %q: write %s: %w", spec.Node, path, err)
}

// writeUserData does not use renameio.WriteFile, which keeps the mode of a file that is there.
func writeUserData(path string, spec Spec, make func(Spec) ([]byte, error)) error {
	if err := replaceable(path); err != nil {
		return err
	}
	content, err := make(spec)
	if err != nil {
		return err
	}
	out, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	defer func() { _ = out.Cleanup() }()
	if _, err := out.Write(content); err != nil {
		return err
	}
	return out.CloseAtomicallyReplace()
}

// replaceable refuses what is there and is no plain file: the rename that ends the writing would put
// the seed in the place of a device, a pipe or a link such as /dev/stdout.
func replaceable(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("what is there is no plain file, and is not replaced; name a file")
	}
	return nil
}

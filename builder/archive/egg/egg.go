// Package egg reads Python eggs: zip archives whose name and EGG-INFO say what they are
// (setuptools, "The Internal Structure of Python Eggs").
//
// It must not know packages or recipes.
package egg

import (
	"bufio"
	"fmt"
	"io"
	"net/textproto"
	"path"
	"regexp"
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
)

// maxInfo bounds EGG-INFO/PKG-INFO, in bytes.
const maxInfo = 1 << 20

// Info is what an egg is.
type Info struct {
	Name, Version string // as in its file's name: "mesos.scheduler", "1.11.0", "0.19.0_rc2"
	Python        string // "2.7"
	Platform      string // "linux-x86_64"; "" for one without compiled code
}

var nameForm = regexp.MustCompile(`^([A-Za-z0-9._]+)-([A-Za-z0-9._+!]+)-py([0-9]+\.[0-9]+)(?:-([A-Za-z0-9._-]+))?\.egg$`)

// ParseName reads the name of an egg's file: NAME-VERSION-pyX.Y[-PLATFORM].egg.
func ParseName(file string) (Info, error) {
	m := nameForm.FindStringSubmatch(path.Base(file))
	if m == nil {
		return Info{}, fmt.Errorf("%s is not named as an egg is, NAME-VERSION-pyX.Y-PLATFORM.egg", path.Base(file))
	}
	return Info{Name: m[1], Version: m[2], Python: m[3], Platform: m[4]}, nil
}

// Check reads an egg of that file name and compares what it says about itself with the name.
func Check(r io.ReaderAt, size int64, file string) (Info, error) {
	info, err := ParseName(file)
	if err != nil {
		return info, err
	}
	f, err := archive.OpenZipMember(r, size, path.Base(file), "EGG-INFO/PKG-INFO", maxInfo)
	if err != nil {
		return info, fmt.Errorf("%s is no egg: %w", path.Base(file), err)
	}
	defer f.Close()
	header, err := textproto.NewReader(bufio.NewReader(io.MultiReader(f, strings.NewReader("\n\n")))).ReadMIMEHeader()
	if err != nil {
		return info, fmt.Errorf("%s: EGG-INFO/PKG-INFO: %w", path.Base(file), err)
	}
	name, version := header.Get("Name"), header.Get("Version")
	if escaped(name) != info.Name || escaped(version) != info.Version {
		return info, fmt.Errorf("%s holds %s %s, as its EGG-INFO/PKG-INFO says: it has another name than its content", path.Base(file), name, version)
	}
	return info, nil
}

// escaped is how a name or version stands in a file's name, where - separates.
func escaped(s string) string { return strings.ReplaceAll(s, "-", "_") }

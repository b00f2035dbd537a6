package java

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// JDK is a Java development kit of the host.
type JDK struct {
	Home    string // its folder, without symbolic links
	Version string // "17.0.15", "1.8.0_402"
	Vendor  string // "Debian", "Eclipse Adoptium"
}

// jvmFolders is where Debian, and most others, install JDKs.
const jvmFolders = "/usr/lib/jvm/*"

// Find returns the host's JDK of a major version, such as 17. With home, it is the one in that folder;
// else JAVA_HOME's or one of the system's. Of several the first by folder is taken.
func Find(major, home string) (JDK, error) {
	if home != "" {
		j, err := Read(home)
		if err == nil && j.Major() != major {
			err = fmt.Errorf("JDK %s is of version %s, and the build wants JDK %s: name the folder of one", home, j.Version, major)
		}
		return j, err
	}
	homes, err := filepath.Glob(jvmFolders)
	if err != nil {
		return JDK{}, err
	}
	if own := os.Getenv("JAVA_HOME"); own != "" {
		homes = slices.Insert(homes, 0, own)
	}
	var have []string
	for _, home := range homes {
		j, err := Read(home)
		if err != nil {
			continue
		}
		if j.Major() == major {
			return j, nil
		}
		have = append(have, j.Version)
	}
	slices.Sort(have)
	return JDK{}, fmt.Errorf("the build wants JDK %s, and the host has %s: install it (Debian: apt install openjdk-%s-jdk-headless), or name its folder: in the environment's JAVA_HOME, or for the build of a repository in its setting java_home",
		major, orNone(slices.Compact(have)), major)
}

// FindIn returns the JDK of a major version in a tree; Home is its folder there.
func FindIn(tree, major string) (JDK, error) {
	homes, err := filepath.Glob(filepath.Join(tree, jvmFolders))
	if err != nil {
		return JDK{}, err
	}
	for _, home := range homes {
		j, err := Read(home)
		if err != nil || j.Major() != major {
			continue
		}
		if inside, ok := strings.CutPrefix(j.Home, tree+"/"); ok {
			j.Home = "/" + inside
			return j, nil
		}
	}
	return JDK{}, fmt.Errorf("the tree %s has no JDK %s", tree, major)
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// maxRelease bounds a JDK's file "release", in bytes.
const maxRelease = 64 << 10

// Read looks at the JDK in a folder: its file "release" says what it is (JEP 223).
func Read(home string) (JDK, error) {
	named := home
	home, err := filepath.EvalSymlinks(home)
	if err != nil {
		return JDK{}, fmt.Errorf("%s is not the folder of a JDK: %w", named, err)
	}
	if _, err := os.Stat(filepath.Join(home, "bin/javac")); err != nil {
		return JDK{}, fmt.Errorf("%s is not the folder of a JDK: %w", home, err)
	}
	f, err := os.Open(filepath.Join(home, "release"))
	if err != nil {
		return JDK{}, fmt.Errorf("%s is not the folder of a JDK: %w", home, err)
	}
	defer f.Close()
	j := JDK{Home: home}
	lines := bufio.NewScanner(io.LimitReader(f, maxRelease))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch key {
		case "JAVA_VERSION":
			j.Version = value
		case "IMPLEMENTOR":
			j.Vendor = value
		}
	}
	if err := lines.Err(); err != nil {
		return JDK{}, fmt.Errorf("%s/release: %w", home, err)
	}
	if j.Version == "" {
		return JDK{}, errors.New(home + "/release does not say JAVA_VERSION")
	}
	return j, nil
}

// Major is the version's first number; of the old form 1.8.0, the second.
func (j JDK) Major() string {
	v := strings.TrimPrefix(j.Version, "1.")
	major, _, _ := strings.Cut(v, ".")
	major, _, _ = strings.Cut(major, "_")
	return major
}

func (j JDK) String() string { return strings.TrimSpace(j.Version + " " + j.Vendor) }

package rootfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
)

// dpkgDir is dpkg's administrative directory (dpkg(1), "FILES").
const dpkgDir = "var/lib/dpkg"

// database is what forge needs to know of a tree's dpkg database before it adds to it.
type database struct {
	status     []byte                       // the status file
	packages   map[string]archive.Paragraph // by name: what is installed
	owners     map[string]string            // canonical path of what is no directory -> package; filled by readOwners
	diversions map[string]diversion         // by clean path
	interests  []string                     // clean paths with a file trigger
	users      map[string]int               // /etc/passwd
	groups     map[string]int
}

// diversion is an entry of the diversions file: files at a path go to another one, unless they
// are the diverting package's.
type diversion struct {
	to string // clean path
	by string // package; ":" is the administrator
}

// newDatabase makes an empty dpkg database, as debootstrap does.
func newDatabase(root *os.Root, arch string) error {
	for _, d := range []string{"info", "updates", "triggers", "alternatives", "parts"} {
		if err := makeDirs(root, dpkgDir+"/"+d); err != nil {
			return err
		}
	}
	for name, content := range map[string]string{
		"status": "", "arch": arch + "\n",
		"info/format": "1\n", "triggers/File": "", "triggers/Unincorp": "",
	} {
		if err := put(root, dpkgDir+"/"+name, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// readDatabase reads the database of a tree.
func readDatabase(root *os.Root) (*database, error) {
	db := &database{packages: map[string]archive.Paragraph{}, owners: map[string]string{}, diversions: map[string]diversion{}}
	var err error
	if db.status, err = root.ReadFile(dpkgDir + "/status"); err != nil {
		return nil, fmt.Errorf("rootfs: the tree has no dpkg database: %w", err)
	}
	paragraphs, err := archive.ParseParagraphs(db.status)
	if err != nil {
		return nil, fmt.Errorf("rootfs: %s/status: %w", dpkgDir, err)
	}
	for _, p := range paragraphs {
		if state := p.Get("Status"); state != "install ok installed" {
			return nil, fmt.Errorf("rootfs: package %s of the lower tree is not whole: its status is %q", p.Get("Package"), state)
		}
		db.packages[p.Get("Package")] = p
		if err := db.readOwners(root, p); err != nil {
			return nil, err
		}
	}
	if err := db.readDiversions(root); err != nil {
		return nil, err
	}
	interests, err := readOptional(root, dpkgDir+"/triggers/File")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(interests)) {
		if at, _, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			db.interests = append(db.interests, strings.TrimPrefix(at, "/"))
		}
	}
	if db.users, err = readIDs(root, "etc/passwd"); err != nil {
		return nil, err
	}
	db.groups, err = readIDs(root, "etc/group")
	return db, err
}

func (db *database) installed(name string) bool {
	_, ok := db.packages[name]
	return ok
}

// readOwners notes which files a package of the tree has. Directories are noted too: whether a
// path is one, the tree itself tells.
func (db *database) readOwners(root *os.Root, p archive.Paragraph) error {
	name := p.Get("Package")
	list, err := root.ReadFile(dpkgDir + "/info/" + listName(p) + ".list")
	if err != nil {
		return fmt.Errorf("rootfs: package %s of the lower tree: %w", name, err)
	}
	for line := range bytes.Lines(list) {
		clean := strings.Trim(string(line), "/\n")
		if _, known := db.owners[canonical(clean)]; !known {
			db.owners[canonical(clean)] = name
		}
	}
	return nil
}

func listName(p archive.Paragraph) string {
	if p.Get("Multi-Arch") == "same" {
		return p.Get("Package") + ":" + p.Get("Architecture")
	}
	return p.Get("Package")
}

func (db *database) readDiversions(root *os.Root) error {
	content, err := readOptional(root, dpkgDir+"/diversions")
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	if len(lines)%3 != 0 {
		return fmt.Errorf("rootfs: %s/diversions has %d lines, not a multiple of three", dpkgDir, len(lines))
	}
	for i := 0; i < len(lines); i += 3 {
		db.diversions[strings.TrimPrefix(lines[i], "/")] = diversion{to: strings.TrimPrefix(lines[i+1], "/"), by: lines[i+2]}
	}
	return nil
}

// readIDs reads the ids of /etc/passwd or /etc/group by name; an absent file has none.
func readIDs(root *os.Root, name string) (map[string]int, error) {
	content, err := readOptional(root, name)
	if err != nil {
		return nil, err
	}
	ids := map[string]int{}
	for line := range strings.Lines(string(content)) {
		if f := strings.Split(line, ":"); len(f) > 3 {
			if id, err := strconv.Atoi(strings.TrimSpace(f[2])); err == nil {
				ids[f[0]] = id
			}
		}
	}
	return ids, nil
}

func readOptional(root *os.Root, name string) ([]byte, error) {
	content, err := root.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("rootfs: %w", err)
	}
	return content, nil
}

// canonical names a path by where it lies in a tree with merged /usr.
func canonical(clean string) string {
	top, _, _ := strings.Cut(clean, "/")
	switch top {
	case "bin", "sbin", "lib", "lib32", "lib64", "libx32":
		return "usr/" + clean
	}
	return clean
}

package recipe

// Overlay is a file tree below overlays/NAME/, laid over a package or a tree.
// Git keeps nothing but the x bit, so files are root:root 0644 or 0755 and
// directories 0755; what differs, and links and empty directories, stand in
// overlays/NAME/overlay.yaml (which is not part of the tree). Symbolic links
// in the folder itself are refused.
type Overlay struct {
	// Summary says what the overlay is for.
	Summary string `yaml:"summary" json:"summary"`
	// Shared are files of other overlays' folders that belong to this one too.
	Shared []SharedFile `yaml:"shared,omitempty" json:"shared,omitempty"`
	// Files are rules for files of the tree; each must match one at least.
	Files []FileRule `yaml:"files,omitempty" json:"files,omitempty"`
	// Dirs are directories with a mode or owner, or empty ones.
	Dirs []DirRule `yaml:"dirs,omitempty" json:"dirs,omitempty"`
	// Links are symbolic links.
	Links []LinkRule `yaml:"links,omitempty" json:"links,omitempty"`

	// Name of the folder.
	Name string `yaml:"-" json:"-"`
	// Entries is the whole tree, sorted by path, parents first. Directories
	// are in it only when Dirs names them: parents of files are left to
	// whoever lays the overlay.
	Entries []OverlayEntry `yaml:"-" json:"-"`
}

// SharedFile is a file that lies in another overlay's folder.
type SharedFile struct {
	Overlay string `yaml:"overlay" json:"overlay" jsonschema:"pattern=^[a-z0-9][a-z0-9-]*$"`
	// Path on the target, absolute: the same in both.
	Path string `yaml:"path" json:"path"`
}

// FileRule gives the files whose path matches a mode, an owner, a kind.
type FileRule struct {
	// Path on the target, absolute; a glob (path.Match). The last rule that
	// matches a file and sets a field wins.
	Path string `yaml:"path" json:"path"`
	// Mode in octal, four digits.
	Mode  string `yaml:"mode,omitempty" json:"mode,omitempty" jsonschema:"pattern=^[0-7]{4}$"`
	Owner string `yaml:"owner,omitempty" json:"owner,omitempty"`
	Group string `yaml:"group,omitempty" json:"group,omitempty"`
	// Conffile says whether the file is a conffile of the package that carries
	// it; absent means that it is one if it lies below /etc.
	Conffile *bool `yaml:"conffile,omitempty" json:"conffile,omitempty"`
}

// DirRule is a directory of the overlay.
type DirRule struct {
	Path  string `yaml:"path" json:"path"`
	Mode  string `yaml:"mode,omitempty" json:"mode,omitempty" jsonschema:"pattern=^[0-7]{4}$"`
	Owner string `yaml:"owner,omitempty" json:"owner,omitempty"`
	Group string `yaml:"group,omitempty" json:"group,omitempty"`
}

// LinkRule is a symbolic link of the overlay.
type LinkRule struct {
	Path string `yaml:"path" json:"path"`
	// To is the link's text.
	To string `yaml:"to" json:"to"`
}

// EntryKind is what an [OverlayEntry] is.
type EntryKind string

// The kinds of overlay entries.
const (
	EntryFile EntryKind = "file"
	EntryDir  EntryKind = "dir"
	EntryLink EntryKind = "link"
)

// OverlayEntry is one file, directory or link of an overlay, with everything
// decided.
type OverlayEntry struct {
	Path   string    `json:"path"` // on the target, absolute and clean
	Kind   EntryKind `json:"kind"`
	Source string    `json:"-"`                // path in the stack's FS (file)
	Mode   uint32    `json:"mode,omitempty"`   // permission bits, setuid, setgid, sticky as in chmod (file, dir)
	Owner  string    `json:"owner,omitempty"`  // user name; "root"
	Group  string    `json:"group,omitempty"`  // group name; "root"
	Target string    `json:"target,omitempty"` // text of the link
	Size   int64     `json:"size,omitempty"`   // bytes (file)
	SHA256 string    `json:"sha256,omitempty"` // 64 hexadecimal digits (file)
	// Conffile is true for a file that dpkg must treat as configuration.
	Conffile bool `json:"conffile,omitempty"`
}

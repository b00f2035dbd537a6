package report

// Changes is what became of a role since the build that was in the output folder before.
type Changes struct {
	Role     string
	Failed   string // why the two could not be compared; then nothing else is set
	Packages []Changed
	Settings []Changed
	Layers   []Changed
	Grown    []Grown // what grew most first
	Before   int64   // bytes of all files
	After    int64
	Added    int // files
	Removed  int
	Altered  int
	Files    []Changed // as many as a page can bear, sorted by package, then path
}

// Changed is one thing that is not the same. Before is "" for what was added, After for what was removed.
type Changed struct {
	Sign          string // "+", "-" or "~"
	Name          string
	Package       string // of a file
	Before, After string
}

// Grown is a package whose files take another amount of space.
type Grown struct {
	Package       string
	Before, After int64 // bytes
}

// Same tells whether nothing changed.
func (c Changes) Same() bool {
	return c.Failed == "" && len(c.Packages)+len(c.Settings)+len(c.Layers)+c.Added+c.Removed+c.Altered == 0
}

// More is how many files the page leaves out.
func (c Changes) More() int { return c.Added + c.Removed + c.Altered - len(c.Files) }

// Growth writes how much more B has than A: "+3.0 MB".
func Growth(before, after int64) string {
	if after < before {
		return "-" + Size(before-after)
	}
	return "+" + Size(after-before)
}

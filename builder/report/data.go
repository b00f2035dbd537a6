package report

import "time"

// Data is all that a report shows.
type Data struct {
	Stack, Version, Summary string // the stack
	Distribution            string // "debian 12 (bookworm)"
	Epoch                   time.Time
	Started                 time.Time
	Took                    time.Duration
	Steps                   []Step
	Roles                   []Role
	Changes                 []Changes // of roles that were in the output folder before
	Next                    []Command
}

// Step is one step of the build.
type Step struct {
	Name, Kind string
	Hit        bool          // nothing ran: the stored result was used
	Offset     time.Duration // from the build's start to the step's; of a hit: 0
	Took       time.Duration // of a hit: when it was made
	Made       time.Time     // when it was made
}

// Role is what was made for one role.
type Role struct {
	Name, Summary string
	Components    []Component
	StandIns      []StandIn
	Layers        []Layer // from the lowest up
	Packages      []Package
	Image         string // digest of the image's manifest
	Results       []File // the image as one
	ImageSize     int64  // bytes of its layers
	DiskSize      int64  // bytes of the disk's file
}

// Component is a piece of software of the role.
type Component struct {
	Name, Version, Summary, Homepage string
	StandIn                          bool
}

// StandIn is a package that takes the place of software that could not be had.
type StandIn struct {
	Package, Version, Summary string
	Want                      string // the file that would take its place: "mesos_1.*_amd64.deb"
	Vendor                    string // the folder to put it into
}

// Layer is one of the trees that the image and the disk are stacked from.
type Layer struct {
	Name       string
	In         string // "image and disk"
	Packages   int
	Compressed int64  // bytes, as a layer of the image; 0: it is in no image
	Digest     string // of that
	Tree       Folder
}

// Package is a Debian package.
type Package struct {
	Name, Version, Licence string
	Layer                  string // the first, where it is in several
	Installed, Deb         int64  // bytes
	StandIn                bool
}

// File is a result in the output folder.
type File struct {
	Path   string
	Size   int64
	Digest string
}

// Command is something to do next.
type Command struct{ What, Line string }

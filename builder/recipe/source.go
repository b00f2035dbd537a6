package recipe

// Artifact is one file from outside, pinned in forge.lock as "COMPONENT/NAME".
type Artifact struct {
	// Sources are tried in this order, after the operator's vendor folder and
	// mirrors; whichever answers, the digest of the lock decides.
	Sources []Source `yaml:"sources" json:"sources" jsonschema:"minItems=1"`
	// Licence of the file where it isn't the component's, SPDX.
	Licence string `yaml:"licence,omitempty" json:"licence,omitempty"`
	// Copyright lines of the file, years first, where they aren't the component's.
	Copyright []string `yaml:"copyright,omitempty" json:"copyright,omitempty"`
	// SHA256 are digests, 64 hexadecimal digits each, that are known to be
	// good: for files that an operator brings and that no lock has seen yet.
	// With the list present, any other digest is refused unless the lock has it.
	SHA256 []string `yaml:"sha256,omitempty" json:"sha256,omitempty"`
	// Optional artifacts come from the operator's vendor folder or a build alone, and
	// may be absent: what Layout makes of them is then left out. The version of a package
	// that holds some ends in "+NAME" for each.
	Optional bool `yaml:"optional,omitempty" json:"optional,omitempty"`
	// Refused are files of the operator's vendor folder that are easily taken
	// for this one.
	Refused []Refused `yaml:"refused,omitempty" json:"refused,omitempty"`
	// Standin takes the artifact's place while no source has it, in the profile
	// lab alone; the package's version then ends in "~standin".
	Standin *StandinFile `yaml:"standin,omitempty" json:"standin,omitempty"`
}

// Refused is a kind of file that is not the artifact.
type Refused struct {
	// File is a glob over base names; what a source of the artifact matches is
	// not meant.
	File string `yaml:"file" json:"file"`
	// Reason completes "FILE is refused: ".
	Reason string `yaml:"reason" json:"reason"`
}

// StandinFile is an archive that forge writes itself, with the layout of the
// real one: each of its files says that it is a stand-in. Paths are those in
// the archive. A member whose name ends in .jar is a zip archive.
type StandinFile struct {
	// File is its name, as the real one's: the ending says what it is (.tar.gz,
	// .tgz, .jar, .zip, .egg).
	File string `yaml:"file" json:"file" jsonschema:"pattern=\\.(tar\\.gz|tgz|jar|zip|egg)$"`
	// Files have nothing but the label in them.
	Files []string `yaml:"files,omitempty" json:"files,omitempty"`
	// Programs are shell scripts that print the label and fail.
	Programs []string `yaml:"programs,omitempty" json:"programs,omitempty"`
	// Texts are files by path, with this content, where something reads it.
	Texts map[string]string `yaml:"texts,omitempty" json:"texts,omitempty"`
	// Links are symbolic links by path, with their targets; not in a zip.
	Links map[string]string `yaml:"links,omitempty" json:"links,omitempty"`
	// Dirs are empty folders.
	Dirs []string `yaml:"dirs,omitempty" json:"dirs,omitempty"`
}

// Source is one place that an artifact comes from: exactly one key is set.
type Source struct {
	// Maven coordinates group:artifact:version[:classifier]; the type is jar
	// unless a fifth field says another: g:a:v:tests:jar.
	Maven string `yaml:"maven,omitempty" json:"maven,omitempty"`
	// PyPI is NAME==VERSION: a project's source archive (.tar.gz) on the Python
	// package index that the user's settings of pip name. Nothing of it is run.
	PyPI string `yaml:"pypi,omitempty" json:"pypi,omitempty"`
	// HTTP is a URL, http or https.
	HTTP string `yaml:"http,omitempty" json:"http,omitempty"`
	// File is a glob over base names in the operator's vendor folder and
	// mirrors: "mesos_*_amd64.deb". Exactly one file may match.
	File string `yaml:"file,omitempty" json:"file,omitempty"`
	// MavenBuild makes the artifact from the commit of a git repository that the
	// operator's settings name (builds.COMPONENT); without them it has nothing.
	MavenBuild *MavenBuild `yaml:"maven_build,omitempty" json:"maven_build,omitempty"`
}

// MavenBuild is a build by `mvn package`, without running the project's tests.
type MavenBuild struct {
	// Jar is a glob below the project's folder for the file that is wanted of
	// the build: "target/hadoop-mesos-*.jar". Exactly one file may match.
	Jar string `yaml:"jar" json:"jar"`
	// JDK is the major version of the Java development kit: "8", "17".
	JDK string `yaml:"jdk" json:"jdk" jsonschema:"pattern=^[0-9]+$"`
}

// Operation is one step of a layout: exactly one of Copy, Extract, Egg, Link, Dir,
// Program, Checkout, File, Java, Rearrange and Pack is set. Paths on the target are absolute and clean.
type Operation struct {
	// Copy puts the artifact of this name, or each of these, at To; a To that
	// ends in "/" is a directory, the file keeps its name (for Maven
	// ARTIFACT-VERSION[-CLASSIFIER].TYPE, for PyPI NAME-VERSION.tar.gz).
	Copy []string `yaml:"copy,omitempty" json:"copy,omitempty"`
	// Extract unpacks the archive (tar, compressed tar or zip; told by
	// content) of this artifact into the directory To.
	Extract string `yaml:"extract,omitempty" json:"extract,omitempty"`
	// Egg unpacks the Python egg of this artifact into a folder of its name in
	// To, a folder of Python modules, and makes a file of its own there,
	// forge-COMPONENT.pth, by which Python finds it: easy_install.pth would
	// belong to all eggs alike. Like names the component whose upstream package
	// must have the egg's version, Python the version that the egg must be for.
	Egg    string `yaml:"egg,omitempty" json:"egg,omitempty"`
	Like   string `yaml:"like,omitempty" json:"like,omitempty"`
	Python string `yaml:"python,omitempty" json:"python,omitempty" jsonschema:"pattern=^[0-9]+\\.[0-9]+$"`
	// Member is a file in Extract that is itself the archive to unpack.
	Member string `yaml:"member,omitempty" json:"member,omitempty"`
	// Include and Exclude are globs (path.Match on each element, "**" for any
	// number of elements) over names in the archive before Strip; an empty
	// Include takes all. An Include that matches nothing is an error.
	Include []string `yaml:"include,omitempty" json:"include,omitempty"`
	Exclude []string `yaml:"exclude,omitempty" json:"exclude,omitempty"`
	// Strip removes this many leading elements of the names.
	Strip int `yaml:"strip,omitempty" json:"strip,omitempty" jsonschema:"minimum=0"`

	// Link makes a symbolic link at this path, with the text of To as target.
	Link string `yaml:"link,omitempty" json:"link,omitempty"`
	// Dir makes a directory at this path that belongs to the package.
	Dir string `yaml:"dir,omitempty" json:"dir,omitempty"`
	// Program puts a program of this repository (cmd/NAME), built static, at To.
	Program string `yaml:"program,omitempty" json:"program,omitempty"`
	// Checkout puts this folder of the checkout, recipes or overlays, below To, with
	// all that is in it; for forge in an image.
	Checkout string `yaml:"checkout,omitempty" json:"checkout,omitempty" jsonschema:"enum=recipes,enum=overlays"`
	// File puts a file of the stack's folder at To, as it is.
	File string `yaml:"file,omitempty" json:"file,omitempty"`

	// Java compiles the .java files below this folder of the stack's folder, and
	// makes the jar To of their classes. The packages are folders in it:
	// "java" with java/forge/hdfs/NameNode.java is of the package forge.hdfs.
	Java string `yaml:"java,omitempty" json:"java,omitempty"`
	// ClassPath are jars on the target that the sources are compiled against, as
	// globs over what the operations before this one laid out. Each must match.
	ClassPath []string `yaml:"classpath,omitempty" json:"classpath,omitempty"`
	// JDK is the major version of the Java development kit that compiles:
	// the host's or, where the host has none of it, the distribution's, in a tree of
	// its own. Which one it is counts as an input of the package.
	JDK string `yaml:"jdk,omitempty" json:"jdk,omitempty" jsonschema:"pattern=^[0-9]+$"`
	// Release is the oldest version of Java that runs the classes (javac
	// --release): not above the JDK's, nor above that of the node's Java.
	Release int `yaml:"release,omitempty" json:"release,omitempty" jsonschema:"minimum=7"`

	// Rearrange makes of this artifact, CDH 5's tarball of Hadoop, the archive To from
	// which Mesos starts MapReduce 1, with the artifacts Jars in its libraries.
	Rearrange string `yaml:"rearrange,omitempty" json:"rearrange,omitempty"`
	// Pack makes such an archive of the files below From that the layout of another
	// component makes, as the folder Top, with the artifacts Jars in its lib.
	Pack string `yaml:"pack,omitempty" json:"pack,omitempty"`
	// From is the path on the target of what Pack packs, Top the archive's one folder.
	// Exclude are paths below From.
	From string `yaml:"from,omitempty" json:"from,omitempty"`
	Top  string `yaml:"top,omitempty" json:"top,omitempty" jsonschema:"pattern=^[a-z0-9][a-z0-9.+-]*$"`
	// Add are files of the stack's folder that come into the archive, by their
	// paths below Top.
	Add map[string]string `yaml:"add,omitempty" json:"add,omitempty"`
	// Jars are artifacts that come into the archive.
	Jars []string `yaml:"jars,omitempty" json:"jars,omitempty"`

	// To is the path on the target (for Link: the link's text).
	To string `yaml:"to,omitempty" json:"to,omitempty"`
	// Mode in octal, four digits. Empty means 0644 for Copy, File and Java, 0755 for Dir and
	// Program; for Extract, 0755 for what the archive marks executable and for
	// directories, else 0644.
	Mode string `yaml:"mode,omitempty" json:"mode,omitempty" jsonschema:"pattern=^[0-7]{4}$"`
	// Owner and Group; empty means root.
	Owner string `yaml:"owner,omitempty" json:"owner,omitempty"`
	Group string `yaml:"group,omitempty" json:"group,omitempty"`
}

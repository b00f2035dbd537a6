package maven

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Coordinates name one file of a Maven repository.
type Coordinates struct {
	Group, Artifact, Version string
	Classifier               string // may be empty
	Type                     string // "jar", "war", "pom"
}

var partRE = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?$`)

// Parse reads group:artifact:version[:classifier[:type]]; the type is jar unless it is given, the
// classifier may be left empty before a type.
func Parse(s string) (Coordinates, error) {
	parts := strings.Split(s, ":")
	if len(parts) < 3 || len(parts) > 5 {
		return Coordinates{}, fmt.Errorf("maven coordinates %q: want group:artifact:version[:classifier[:type]]", s)
	}
	for i, p := range parts {
		if !partRE.MatchString(p) && (i != 3 || p != "" || len(parts) != 5) || strings.Contains(p, "..") {
			return Coordinates{}, fmt.Errorf("maven coordinates %q: %q is not valid there", s, p)
		}
	}
	c := Coordinates{Group: parts[0], Artifact: parts[1], Version: parts[2], Type: "jar"}
	if slices.Contains([]string{"LATEST", "RELEASE"}, c.Version) || strings.HasSuffix(c.Version, "-SNAPSHOT") {
		return Coordinates{}, fmt.Errorf("maven coordinates %q: version %s is another one tomorrow; name a fixed version", s, c.Version)
	}
	if len(parts) > 3 {
		c.Classifier = parts[3]
	}
	if len(parts) > 4 {
		c.Type = parts[4]
	}
	return c, nil
}

// String returns what Parse reads.
func (c Coordinates) String() string {
	s := c.Group + ":" + c.Artifact + ":" + c.Version
	if c.Type != "jar" {
		return s + ":" + c.Classifier + ":" + c.Type
	}
	if c.Classifier != "" {
		return s + ":" + c.Classifier
	}
	return s
}

// File returns the file's name in a repository: ARTIFACT-VERSION[-CLASSIFIER].TYPE.
func (c Coordinates) File() string {
	s := c.Artifact + "-" + c.Version
	if c.Classifier != "" {
		s += "-" + c.Classifier
	}
	return s + "." + c.Type
}

// Purl returns the package URL (package-url specification, type maven).
func (c Coordinates) Purl() string {
	s := "pkg:maven/" + c.Group + "/" + c.Artifact + "@" + c.Version
	q := url.Values{}
	if c.Classifier != "" {
		q.Set("classifier", c.Classifier)
	}
	if c.Type != "jar" {
		q.Set("type", c.Type)
	}
	if len(q) > 0 {
		s += "?" + q.Encode()
	}
	return s
}

// id is how mvn names an artifact in its messages: group:artifact:type[:classifier]:version.
func (c Coordinates) id() string {
	s := c.Group + ":" + c.Artifact + ":" + c.Type
	if c.Classifier != "" {
		s += ":" + c.Classifier
	}
	return s + ":" + c.Version
}

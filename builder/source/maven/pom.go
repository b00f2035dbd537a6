package maven

import (
	"encoding/xml"
	"fmt"
	"path"
)

// pluginVersion is the version of maven-dependency-plugin that is run. It needs Maven 3.6.3.
const pluginVersion = "3.8.1"

// goal is what mvn is told to do.
const goal = "org.apache.maven.plugins:maven-dependency-plugin:" + pluginVersion + ":copy"

// project is the part of a POM that fetching needs (maven.apache.org, POM 4.0.0).
type project struct {
	XMLName      xml.Name `xml:"http://maven.apache.org/POM/4.0.0 project"`
	ModelVersion string   `xml:"modelVersion"`
	Group        string   `xml:"groupId"`
	Artifact     string   `xml:"artifactId"`
	Version      string   `xml:"version"`
	Packaging    string   `xml:"packaging"`
	Plugins      []plugin `xml:"build>plugins>plugin"`
}

type plugin struct {
	Group    string    `xml:"groupId"`
	Artifact string    `xml:"artifactId"`
	Version  string    `xml:"version"`
	Items    []pomItem `xml:"configuration>artifactItems>artifactItem"`
}

type pomItem struct {
	Group      string `xml:"groupId"`
	Artifact   string `xml:"artifactId"`
	Version    string `xml:"version"`
	Type       string `xml:"type"`
	Classifier string `xml:"classifier,omitempty"`
	Dir        string `xml:"outputDirectory"`
	File       string `xml:"destFileName"`
}

// pom is a project that copies those of coords that are open, given by their indexes, to
// dir/INDEX/NAME: two groups may have files of one name.
func pom(coords []Coordinates, open []int, dir string) ([]byte, error) {
	p := project{ModelVersion: "4.0.0", Group: "forge", Artifact: "fetch", Version: "1", Packaging: "pom"}
	pl := plugin{Group: "org.apache.maven.plugins", Artifact: "maven-dependency-plugin", Version: pluginVersion}
	for _, i := range open {
		c := coords[i]
		pl.Items = append(pl.Items, pomItem{c.Group, c.Artifact, c.Version, c.Type, c.Classifier, path.Join(dir, fmt.Sprint(i)), c.File()})
	}
	p.Plugins = []plugin{pl}
	return xml.MarshalIndent(p, "", "  ")
}

package cluster

import (
	"fmt"
	"regexp"
	"strings"
)

// Finding is what is wrong with a text or a setting, wherever that was written.
type Finding struct{ Rule, Message, Hint string }

// CheckText checks one line or value for what is wrong in any place, knowing nothing of the cluster.
func CheckText(text string) []Finding { return (&Facts{}).CheckText(text) }

// CheckText checks one line or value for what is wrong in any place: capitals in paths (F01), foreign
// addresses (F07), ZooKeeper URLs (F22, F06), hdfs:/ (F23), Spark's sources (F26).
func (f *Facts) CheckText(text string) []Finding {
	var found []Finding
	for _, check := range textChecks {
		found = append(found, check(f, text)...)
	}
	return found
}

var textChecks = []func(*Facts, string) []Finding{capitalPaths, foreignAddresses, zkURLs, oneSlash, sparkSources}

var (
	// pathWord is an absolute path below a directory of the system, or a URL of the web.
	pathWord = regexp.MustCompile(`(?:https?://|/(?:etc|var|usr|opt|lib|run|srv|tmp|mnt|data)/)[^\s"'<>;,|)]+`)
	// product is a name of the software in another spelling than its own files have; MESOS-123 and the like
	// are names of issues, and so are all capitals.
	product = regexp.MustCompile(`(?:^|[/._-])((?:Mesos|ZooKeeper|Zookeeper|zooKeeper|Hadoop|Marathon|Spark|Azkaban)(?:phere|d)?)(?:[/._-]|$)`)
)

// maxPath is the longest path that is looked at: PATH_MAX.
const maxPath = 4096

// LowerNames puts the names of the software in a path into lower case, and says whether that changed it.
func LowerNames(path string) (string, bool) {
	if len(path) > maxPath {
		return path, false
	}
	lower := path
	for { // neighbours share a separator, which one pass takes once
		m := product.FindStringSubmatchIndex(lower)
		if m == nil {
			return lower, lower != path
		}
		lower = lower[:m[2]] + strings.ToLower(lower[m[2]:m[3]]) + lower[m[3]:]
	}
}

func capitalPaths(_ *Facts, text string) []Finding {
	for _, word := range pathWord.FindAllString(text, -1) {
		if lower, changed := LowerNames(word); changed {
			return []Finding{{"F01", fmt.Sprintf("%s has capital letters; paths, packages and hosts are lower case", word), "write " + lower}}
		}
	}
	return nil
}

var ipv4 = regexp.MustCompile(`(?:^|[^0-9.])((?:[0-9]{1,3}\.){3}[0-9]{1,3})(?:[^0-9.]|\.?$)`)

func foreignAddresses(f *Facts, text string) []Finding {
	for _, m := range ipv4.FindAllStringSubmatch(text, -1) {
		if f.foreign(m[1]) {
			return []Finding{{"F07", fmt.Sprintf("the address %s is not in the inventory", m[1]), "nodes: " + f.nodeList()}}
		}
	}
	return nil
}

var zkWord = regexp.MustCompile(`\b(?i:zk):[/A-Za-z0-9\[][^\s"'<>{}` + "`" + `]+`)

func zkURLs(f *Facts, text string) []Finding {
	for _, word := range zkWord.FindAllString(text, -1) {
		if strings.ContainsAny(word, "$%") { // a script's variable
			continue
		}
		if found := zkURL(f, word); len(found) > 0 {
			return found
		}
	}
	return nil
}

// zkURL checks the form of one URL.
func zkURL(f *Facts, url string) []Finding {
	hint := "write zk://host:port,host:port,host:port/mesos"
	if right, ok := MendZKURL(url); ok {
		hint = "write " + right
	} else if right := f.zk(); right != "" {
		hint = "write " + right
	}
	u, err := ParseZKURL(url)
	switch {
	case err == nil && u.Path != strings.ToLower(u.Path):
		return []Finding{{"F06", fmt.Sprintf("the znode %s has capital letters; %s and %s are two znodes", u.Path, u.Path, strings.ToLower(u.Path)), hint}}
	case err == nil:
		return nil
	case strings.HasPrefix(err.Error(), "its path"):
		return []Finding{{"F06", fmt.Sprintf("%q: %v", url, err), hint}}
	}
	return []Finding{{"F22", fmt.Sprintf("%q is not a ZooKeeper URL: %v", url, err), hint}}
}

var oneSlashWord = regexp.MustCompile(`\bhdfs:/[^/\s"'<>{][^\s"'<>]*`)

func oneSlash(_ *Facts, text string) []Finding {
	word := oneSlashWord.FindString(text)
	if word == "" {
		return nil
	}
	return []Finding{{"F23", fmt.Sprintf("%q has one slash: Hadoop takes all of it for a path of the default file system", word), "write hdfs://" + strings.TrimPrefix(word, "hdfs:/")}}
}

var sparkSource = regexp.MustCompile(`\bspark-([0-9]+(?:\.[0-9]+)+)\.(?:tgz|tar\.gz)\b`)

func sparkSources(_ *Facts, text string) []Finding {
	m := sparkSource.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	return []Finding{{"F26", fmt.Sprintf("%s is Spark's source archive, which holds nothing that runs", m[0]), fmt.Sprintf("take spark-%s-bin-hadoop2.6.tgz, or another -bin- archive", m[1])}}
}

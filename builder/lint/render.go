package lint

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/fit"
	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/recipe"
)

// machine is what nodes are taken to be; nothing that is checked depends on it.
var machine = cluster.Machine{RAM: 8192, CPUs: 4}

// everyNode renders the nodes of images with the stack's optional components, and of images without them.
func (l *linter) everyNode(s *recipe.Stack, inv *cluster.Inventory) {
	l.nodes(s, inv)
	if optional := s.OptionalComponents(); len(optional) > 0 {
		l.nodes(s.Without(optional...), inv)
	}
}

// nodes renders what every node of the inventory would have, and checks it.
func (l *linter) nodes(s *recipe.Stack, inv *cluster.Inventory) {
	for _, n := range inv.Nodes {
		role, ok := s.Roles[n.Role]
		if !ok { // which against tells
			continue
		}
		rendering, err := node.Render(builder.StackImage(s, role), inv, node.Target{Node: n.Name, Role: n.Role, Machine: machine})
		if err != nil {
			l.refused(s, role, n, err)
			continue
		}
		l.rendered(s, n, rendering)
	}
}

// refused tells why a node can't be rendered, where that is written.
func (l *linter) refused(s *recipe.Stack, role *recipe.Role, n cluster.Node, err error) {
	at, rule := place{file: role.Path}, "render"
	var file *node.FileError
	var taken *node.PortTakenError
	switch {
	case errors.As(err, &taken):
		rule = "port-clash"
	case errors.Is(err, node.ErrRequired):
		rule = "F13"
	}
	if errors.As(err, &file) {
		at = lineOf(s.FS, s.Components[file.Component].Path, "path: "+file.Path)
		if rule == "F13" && file.Component == "spark" {
			rule = "F27"
		}
	}
	l.add(at, cluster.Finding{Rule: rule, Message: fmt.Sprintf("node %s can't be rendered: %v", n.Name, err)})
}

// rendered checks the files of one node. A problem is told where the manifest makes the value.
func (l *linter) rendered(s *recipe.Stack, n cluster.Node, r *node.Rendering) {
	own := newLinter(l.facts)
	for _, f := range r.Files {
		if f.Path == "/etc/hosts" {
			continue // addresses are what it is for
		}
		own.scan(text{at: place{file: f.Path, line: 1, column: 1}, node: n.Name, path: f.Path, kind: kindOf(f.Path), content: string(f.Content)})
	}
	for _, svc := range r.Services {
		if hdfsDaemon.MatchString(svc.Name) && strings.Contains(svc.Name, "hdfs") {
			at := lineOf(s.FS, s.Components[svc.Component].Path, "name: "+svc.Name)
			own.see(sawHDFSPackage, svc.Name, at, n.Name)
		}
	}
	own.siteFiles()
	own.executorURIs(l.of(sawUpload))
	if c, ok := s.Components["spark"]; ok && slices.Contains(r.Role.Components, "spark") && len(own.of(sawSparkSettings)) == 0 {
		own.add(place{file: c.Path, line: 1, column: 1}, cluster.Finding{Rule: "F27", Message: "nothing renders an executor URI or executor home", Hint: "render spark.executor.uri, and SPARK_EXECUTOR_URI in spark-env.sh"})
	}
	own.adminServer(s, r)
	keys := map[place]string{}
	for _, set := range own.settings {
		keys[set.at] = set.Key
	}
	for _, p := range own.problems {
		at := place{p.File, p.Line, p.Column}
		if path.IsAbs(p.File) {
			p.Message = fmt.Sprintf("node %s, %s:%d: %s", n.Name, p.File, p.Line, p.Message)
			at = madeBy(s, p.File, keys[at])
		}
		l.add(at, cluster.Finding{Rule: p.Rule, Message: p.Message, Hint: p.Hint})
	}
}

// adminServer finds a clash that no manifest shows: from 3.5 on, ZooKeeper's AdminServer listens on 8080 unless
// it is told not to (field guide, section 3).
func (l *linter) adminServer(s *recipe.Stack, r *node.Rendering) {
	zk, ok := s.Components["zookeeper"]
	if !ok || fit.Compare(zk.Version, "3.5") < 0 {
		return
	}
	port, config := 8080, ""
	for _, f := range r.Files {
		if path.Base(f.Path) == "zoo.cfg" {
			config = f.Path
		}
	}
	for _, set := range l.settings {
		switch value := set.word(); {
		case value == "" || set.File != "zoo.cfg" && set.File != "zoo":
		case set.Key == "admin.enableServer" && value == "false":
			return
		case set.Key == "admin.serverPort":
			port, _ = strconv.Atoi(value) // what is no number is no port
		}
	}
	zookeeper := slices.ContainsFunc(r.Services, func(svc node.RenderedService) bool { return svc.Component == "zookeeper" })
	for _, svc := range r.Services {
		for _, p := range svc.PortOf {
			if p == port && zookeeper && config != "" {
				l.add(place{file: config, line: 1, column: 1}, cluster.Finding{Rule: "port-clash",
					Message: fmt.Sprintf("ZooKeeper's AdminServer and %s both listen on port %d", svc.Name, port), Hint: "write admin.enableServer=false, or another admin.serverPort"})
			}
		}
	}
}

// madeBy finds the line of the manifest that makes a file, or, with a key, that setting of it.
func madeBy(s *recipe.Stack, file, key string) place {
	for _, name := range slices.Sorted(maps.Keys(s.Components)) {
		c := s.Components[name]
		for _, f := range c.Files {
			if f.Path != file && (f.Format != node.FormatFlags || f.Path != path.Dir(file)) {
				continue
			}
			at := lineOf(s.FS, c.Path, "path: "+f.Path)
			if setting := lineAfter(s.FS, at, key+":"); key != "" && setting.line > 0 {
				return setting
			}
			return at
		}
	}
	return place{file: file, line: 1, column: 1}
}

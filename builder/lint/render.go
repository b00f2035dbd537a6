package lint

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/recipe"
)

// machine is what nodes are taken to be; nothing that is checked depends on it.
var machine = cluster.Machine{RAM: 8192, CPUs: 4}

// nodes renders what every node of the inventory would have, and checks it.
func (l *linter) nodes(s *recipe.Stack, inv *cluster.Inventory) {
	for _, n := range inv.Nodes {
		role, ok := s.Roles[n.Role]
		if !ok {
			l.note("nodes of the role %s were not rendered: the stack %s has no such role", n.Role, s.Name)
			continue
		}
		rendering, err := node.Render(builder.StackImage(s, role), inv, node.Target{Node: n.Name, Role: n.Role, Machine: machine})
		if err != nil {
			rule := "render"
			if strings.Contains(err.Error(), "'s already") { // two services on one port
				rule = "port-clash"
			}
			l.add(place{file: role.Path}, cluster.Finding{Rule: rule, Message: fmt.Sprintf("node %s can't be rendered: %v", n.Name, err)})
			continue
		}
		l.rendered(s, n, rendering)
	}
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
	if c, ok := s.Components["spark"]; ok && slices.Contains(r.Role.Components, "spark") && len(own.of(sawSparkSettings)) == 0 {
		own.add(place{file: c.Path, line: 1, column: 1}, cluster.Finding{Rule: "F27", Message: "nothing renders spark-env.sh or spark.executor.uri", Hint: "add one to the component's files"})
	}
	for _, p := range own.problems {
		at := place{p.File, p.Line, p.Column}
		if path.IsAbs(p.File) {
			p.Message = fmt.Sprintf("node %s, %s:%d: %s", n.Name, p.File, p.Line, p.Message)
			at = madeBy(s, p.File)
		}
		l.add(at, cluster.Finding{Rule: p.Rule, Message: p.Message, Hint: p.Hint})
	}
}

// madeBy finds the line of the manifest that makes a file, or the folder of flags that it lies in.
func madeBy(s *recipe.Stack, file string) place {
	for _, c := range s.Components {
		for _, f := range c.Files {
			if f.Path == file {
				return lineOf(s.FS, c.Path, "path: "+file)
			}
			if f.Format == node.FormatFlags && f.Path == path.Dir(file) {
				if at := lineOf(s.FS, c.Path, path.Base(file)+":"); at.line > 0 {
					return at
				}
				return lineOf(s.FS, c.Path, "path: "+path.Dir(file))
			}
		}
	}
	return place{file: file, line: 1, column: 1}
}

package main

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/recipe"
)

const head = `# Systems

Written by ` + "`go run ./hack/systems`" + ` from the recipes and from the results of a whole run of the tests: a line whose tests did not
pass fails that run. *With* says what the tests ran: the **real** software, or a labelled **stand-in** where the
software has no public download any more.

`

// page is docs/systems.md.
func (s *systems) page(stacks map[string]*recipe.Stack) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	for _, sys := range s.Systems {
		fmt.Fprintf(&b, "## %s\n\n", sys.Name)
		for _, r := range sys.Rows {
			stack := stacks[r.Stack]
			c := stack.Components[r.Component]
			fmt.Fprintf(&b, "**%s**: %s %s, from %s.\n\n", r.Stack, c.Name, c.Version, origin(c))
			b.WriteString("| | |\n|---|---|\n")
			for _, line := range [][2]string{
				{"Packages", packages(c)},
				{"Roles", strings.Join(roles(stack, c.Name), ", ")},
				{"Services", strings.Join(services(c, r.Services), ", ")},
				{"Health", strings.Join(health(c, r.Services), "; ")},
				{"Shown by", strings.Join(r.Tests, ", ")},
				{"With", r.with(c)},
			} {
				if line[1] != "" {
					fmt.Fprintf(&b, "| %s | %s |\n", line[0], strings.ReplaceAll(line[1], "|", `\|`))
				}
			}
			b.WriteByte('\n')
		}
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n')
}

// with says what the tests of a row ran.
func (r row) with(c *recipe.Component) string {
	if r.Inputs != "" {
		return "stand-in: " + r.Inputs
	}
	if c.Upstream != nil && c.Upstream.Standin != nil {
		return "stand-in: " + c.Upstream.Standin.Summary
	}
	return "real"
}

// origin says where a component's bytes come from.
func origin(c *recipe.Component) string {
	var out []string
	if len(c.Debian) > 0 {
		out = append(out, "the distribution's "+strings.Join(c.Debian, ", "))
	}
	kinds := map[string]int{}
	for _, name := range sortedKeys(c.Artifacts) {
		for _, src := range c.Artifacts[name].Sources {
			switch {
			case src.Maven != "":
				kinds["Maven"]++
			case src.PyPI != "":
				out = append(out, "PyPI's "+src.PyPI)
			case src.HTTP != "":
				out = append(out, src.HTTP)
			case src.File != "":
				out = append(out, "the operator's "+src.File)
			case src.MavenBuild != nil:
				out = append(out, "a build of the commit that the operator names")
			}
		}
	}
	for _, kind := range sortedKeys(kinds) {
		out = append(out, fmt.Sprintf("%d %s artifacts", kinds[kind], kind))
	}
	for _, op := range c.Layout {
		if op.Java != "" {
			out = append(out, fmt.Sprintf("forge's own %s, compiled by JDK %s", path.Base(op.To), op.JDK))
		}
	}
	if len(out) == 0 {
		return "forge itself"
	}
	return strings.Join(out, "; ")
}

func packages(c *recipe.Component) string {
	var out []string
	if name := c.PackageName(); name != "" {
		out = append(out, name)
	}
	if c.Upstream != nil {
		out = append(out, c.Upstream.Package)
	}
	return strings.Join(out, ", ")
}

func roles(s *recipe.Stack, component string) []string {
	var out []string
	for _, name := range sortedKeys(s.Roles) {
		if slices.Contains(s.Roles[name].Components, component) {
			out = append(out, name)
		}
	}
	return out
}

// health are the checks of services, with the ports that they ask.
func health(c *recipe.Component, only []string) []string {
	var out []string
	for _, s := range c.Services {
		if len(only) > 0 && !slices.Contains(only, s.Name) {
			continue
		}
		ports := map[string]int{}
		for _, p := range s.Ports {
			ports[p.Name] = p.Number
		}
		for _, h := range s.Health {
			text := fmt.Sprintf("%s %d", h.Kind, ports[h.Port])
			switch h.Kind {
			case node.CheckHTTP:
				text += " `" + h.Path + "`"
			case node.CheckExec:
				text = "exec `" + strings.Join(h.Run, " ") + "`"
			}
			out = append(out, text)
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

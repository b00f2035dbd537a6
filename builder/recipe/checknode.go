package recipe

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/node"
)

var formats = []string{string(node.FormatTemplate), string(node.FormatHadoopXML), string(node.FormatFlags),
	string(node.FormatEnv), string(node.FormatExports), string(node.FormatProperties)}

var checkKinds = []string{string(node.CheckTCP), string(node.CheckHTTP), string(node.CheckZK), string(node.CheckExec)}

// node checks the part of a component that becomes forge-node's manifest.
func (k *componentCheck) node() {
	for i, s := range k.c.Services {
		k.service("services/"+strconv.Itoa(i), s)
	}
	for i, f := range k.c.Files {
		k.file("files/"+strconv.Itoa(i), f)
	}
	for i, dir := range k.c.Dirs {
		at := "dirs/" + strconv.Itoa(i)
		k.text(at+"/path", dir.Path)
		k.mode(at+"/mode", dir.Mode)
		k.services(at+"/when", dir.When)
	}
	for i, secret := range k.c.Secrets {
		at := "secrets/" + strconv.Itoa(i) + "/name"
		if err := node.CheckSecretName(secret.Name); err != nil {
			k.d.errorf(at, "", "%v", err)
		}
		if slices.ContainsFunc(k.c.Secrets[:i], func(s node.Secret) bool { return s.Name == secret.Name }) {
			k.d.errorf(at, "", "the secret %q is there twice", secret.Name)
		}
		k.text("secrets/"+strconv.Itoa(i)+"/if", secret.If)
	}
}

func (k *componentCheck) service(at string, s node.Service) {
	d := k.d
	if !namePattern.MatchString(strings.ReplaceAll(s.Name, ".", "-")) {
		d.errorf(at+"/name", "", "%q can't be a service's name", s.Name)
	}
	k.text(at+"/if", s.If)
	k.text(at+"/runit", s.Runit)
	k.peers(at+"/needs", s.Needs)
	if s.StartSeconds < 0 || s.StopSeconds < 0 {
		d.errorf(at, "", "start_seconds and stop_seconds can't be negative")
	}
	var ports []string
	for i, p := range s.Ports {
		sub := at + "/ports/" + strconv.Itoa(i)
		if p.Number < 1 || p.Number > 65535 {
			d.errorf(sub+"/number", "", "%d is not a port", p.Number)
		}
		if p.Proto != "" && p.Proto != "tcp" && p.Proto != "udp" {
			d.errorf(sub+"/proto", "", "%q is neither tcp nor udp", p.Proto)
		}
		if slices.Contains(ports, p.Name) {
			d.errorf(sub+"/name", "", "port %q is there twice", p.Name)
		}
		ports = append(ports, p.Name)
		k.text(sub+"/from", p.From)
	}
	for i, c := range s.Health {
		k.health(at+"/health/"+strconv.Itoa(i), c, ports)
	}
	if h := s.Heap; h != nil {
		if h.Percent < 1 || h.Percent > 90 {
			d.errorf(at+"/heap/percent", "", "percent is %d, not 1 to 90", h.Percent)
		}
		if h.Min < 1 || (h.Max != 0 && h.Max < h.Min) {
			d.errorf(at+"/heap", "", "heap needs min of at least 1 MiB and max not below it")
		}
	}
	for i, in := range s.Init {
		sub := at + "/init/" + strconv.Itoa(i)
		k.text(sub+"/if", in.If)
		if len(in.Run) == 0 {
			d.errorf(sub+"/run", "", "run is empty")
		}
		for j, arg := range in.Run {
			k.text(sub+"/run/"+strconv.Itoa(j), arg)
		}
		for j, p := range in.Untouched {
			k.text(sub+"/untouched/"+strconv.Itoa(j), p)
		}
		k.peers(sub+"/needs", in.Needs)
		k.peers(sub+"/needs_all", in.NeedsAll)
		if in.Staged {
			k.staged(sub, in)
		}
	}
}

// staged checks that a staged step can be what it says.
func (k *componentCheck) staged(at string, in node.Init) {
	if len(in.Untouched) == 0 {
		k.d.errorf(at+"/staged", "name the directories that it makes in untouched", "a staged step without untouched has nothing to stage")
	}
	if in.AllowEmpty {
		k.d.errorf(at+"/allow_empty", "", "a staged step replaces empty directories anyway: leave out allow_empty")
	}
	if !slices.ContainsFunc(in.Run, func(arg string) bool { return strings.Contains(arg, "staged ") }) {
		k.d.errorf(at+"/run", "write {{ lines (staged .HDFS.NameDirs) }} where the command takes its directories", "a staged step must make `staged LIST` instead of LIST")
	}
}

func (k *componentCheck) health(at string, c node.Check, ports []string) {
	if !slices.Contains(checkKinds, string(c.Kind)) {
		k.d.errorf(at+"/kind", didYouMean(string(c.Kind), checkKinds), "unknown kind of check %q", c.Kind)
	}
	if c.Kind == node.CheckExec {
		k.command(at, c)
	} else if !slices.Contains(ports, c.Port) {
		k.d.errorf(at+"/port", didYouMean(c.Port, ports), "the service has no port %q", c.Port)
	}
	if c.Kind != node.CheckExec && (len(c.Run) > 0 || c.User != "") {
		k.d.errorf(at, "", "run and user belong to the kind exec alone")
	}
	k.text(at+"/path", c.Path)
	if _, err := regexp.Compile(c.Match); err != nil {
		k.d.errorf(at+"/match", "", "match is not a regular expression: %v", err)
	}
}

// command checks a health check that runs a program.
func (k *componentCheck) command(at string, c node.Check) {
	if len(c.Run) == 0 {
		k.d.errorf(at, "", "a check of the kind exec has a program to run: run is empty")
	}
	for i, arg := range c.Run {
		k.text(at+"/run/"+strconv.Itoa(i), arg)
	}
	if c.Port != "" || c.Path != "" || c.Status != 0 {
		k.d.errorf(at, "leave them out", "port, path and status say nothing beside run")
	}
}

func (k *componentCheck) file(at string, f node.File) {
	d := k.d
	k.text(at+"/path", f.Path)
	k.mode(at+"/mode", f.Mode)
	k.services(at+"/when", f.When)
	k.services(at+"/restart", f.Restart)
	for i, p := range f.Fixed {
		k.text(at+"/fixed/"+strconv.Itoa(i), p)
	}
	if !slices.Contains(formats, string(f.Format)) {
		d.errorf(at+"/format", didYouMean(string(f.Format), formats), "unknown format %q", f.Format)
		return
	}
	for _, key := range sortedKeys(f.Settings) {
		k.text(at+"/settings/"+key, key)
		k.text(at+"/settings/"+key, f.Settings[key])
	}
	for i, key := range f.Required {
		k.text(at+"/required/"+strconv.Itoa(i), key)
	}
	if f.Format == node.FormatTemplate && len(f.Required) > 0 {
		d.errorf(at+"/required", "", "format template has no settings that could be required")
	}
	if f.Format != node.FormatTemplate {
		if f.Template != "" {
			d.errorf(at+"/template", "", "only format template has a template file")
		}
		return
	}
	if len(f.Settings) > 0 {
		d.errorf(at+"/settings", "", "format template has no settings")
	}
	name := k.c.Templates()[f.Template]
	if f.Template == "" || strings.Contains(f.Template, "/") {
		d.errorf(at, "", "format template needs template: a base name in templates/%s", k.c.Name)
		return
	}
	b, err := readFile(k.fsys, name, maxTemplateSize)
	if err != nil {
		d.errorf(at+"/template", "", "there is no template %s", name)
		return
	}
	if err := node.CheckTemplate(f.Template, string(b)); err != nil {
		d.errorf(at+"/template", "", "template %s: %v", name, err)
	}
	k.digest(d, at+"/template", name)
}

// text checks that a value is a template that parses.
func (k *componentCheck) text(at, s string) {
	if err := node.CheckTemplate("value", s); err != nil {
		k.d.errorf(at, "", "is not a template: %v", err)
	}
}

var modePattern = regexp.MustCompile(`^[0-7]{4}$`)

func (k *componentCheck) mode(at, mode string) {
	if mode != "" && !modePattern.MatchString(mode) {
		k.d.errorf(at, `write four octal digits in quotes: "0644"`, "%q is not a mode", mode)
	}
}

func (k *componentCheck) peers(at string, needs []string) {
	for i, n := range needs {
		if !slices.Contains(cluster.PeerNames(), n) {
			k.d.errorf(at+"/"+strconv.Itoa(i), didYouMean(n, cluster.PeerNames()), "unknown peer %q", n)
		}
	}
}

// services checks references to services of the stack.
func (k *componentCheck) services(at string, names []string) {
	known := k.stack.serviceNames()
	for i, n := range names {
		if !slices.Contains(known, n) {
			k.d.errorf(at+"/"+strconv.Itoa(i), didYouMean(n, known), "no component has a service %q", n)
		}
	}
}

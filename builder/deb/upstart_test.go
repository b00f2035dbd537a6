package deb

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/recipe"
)

// TestUpstart makes the packages of a stack that boots with upstart: every service has an override that is a
// conffile, jobs are conffiles and stop with their package, scripts of others are disabled, and nothing of
// systemd is asked. With stand-ins in it, a package has a version of its own and the label for the node; what
// depends on it takes both.
func TestUpstart(t *testing.T) {
	stack, err := recipe.Load(os.DirFS(checkout), "cdh5")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range stack.Components {
		if c.PackageName() == "" {
			continue
		}
		s, err := ForComponent(Inputs{Stack: stack, Checkout: checkout, Tree: t.TempDir(), StandIn: c.MayStandIn()}, c)
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.newPlan(nil)
		if err != nil {
			t.Fatal(err)
		}
		scripts, err := s.scripts(p)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]*Entry{}
		for _, e := range p.entries {
			files[e.Path] = e
			if strings.HasPrefix(e.Path, jobsDir) && e.Kind == recipe.EntryFile && !e.Conffile {
				t.Errorf("%s: %s is no conffile", name, e.Path)
			}
		}
		for _, svc := range c.Services {
			if e := files[jobsDir+svc.Name+".override"]; e == nil || string(e.Text) != "manual\n" {
				t.Errorf("%s: the service %s has no override that says manual", name, svc.Name)
			}
			if !strings.Contains(scripts["postinst"], " "+svc.Name) || !strings.Contains(scripts["postinst"], "update-rc.d") {
				t.Errorf("%s: the postinst disables no script of %s", name, svc.Name)
			}
		}
		for _, job := range p.jobs() {
			if !strings.Contains(scripts["prerm"], " "+job) {
				t.Errorf("%s: the prerm does not stop the job %s", name, job)
			}
		}
		for script, text := range scripts {
			if strings.Contains(text, "systemctl") || strings.Contains(text, "deb-systemd") {
				t.Errorf("%s: the %s asks systemd", name, script)
			}
		}
		label := files[shareDir+"/standins/"+name+".json"]
		if stands := c.MayStandIn(); stands != strings.HasSuffix(s.Info.Version, "~standin") || stands != (label != nil) {
			t.Errorf("%s: version %s, label %v", name, s.Info.Version, label)
		}
	}
	role, err := ForRole(Inputs{Stack: stack, Checkout: checkout}, stack.Roles["slave"])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"forge-spark (>= 1.5.1-1~standin)", "forge-spark (<= 1.5.1-1)", "forge-mesos (>= 0.19.0-1)", "forge-mesos (<< 0.19.0-1.0)"} {
		if !slices.Contains(role.Info.Depends, want) {
			t.Errorf("the role depends on %v, not on %s", role.Info.Depends, want)
		}
	}
}

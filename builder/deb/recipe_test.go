package deb

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/recipe"
)

const checkout = "../.."

// stackPackages makes every package of the default stack, and the stand-ins. Programs are really
// built; artifacts from elsewhere are left out.
func stackPackages(t *testing.T) map[string]Spec {
	t.Helper()
	stack, err := recipe.Load(os.DirFS(checkout), "bookworm")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Spec{}
	keep := func(s Spec, err error) {
		if err != nil {
			t.Error(err)
			return
		}
		out[s.Info.Name] = s
	}
	for _, c := range stack.Components {
		in := Inputs{Stack: stack, Checkout: checkout, Tree: programs(t, c.Layout)}
		if c.PackageName() != "" {
			keep(ForComponent(in, c))
		}
		if c.Upstream != nil && c.Upstream.Standin != nil {
			in.Tree = programs(t, c.Upstream.Standin.Layout)
			keep(ForStandin(in, c))
		}
	}
	for _, r := range stack.Roles {
		keep(ForRole(Inputs{Stack: stack, Checkout: checkout}, r))
	}
	return out
}

// programs builds the programs of a layout into a tree.
func programs(t *testing.T, layout []recipe.Operation) string {
	t.Helper()
	dir := t.TempDir()
	for _, op := range layout {
		if op.Program == "" {
			continue
		}
		to := filepath.Join(dir, op.To)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", to, "./cmd/"+op.Program)
		cmd.Dir = checkout
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build %s: %v\n%s", op.Program, err, text)
		}
	}
	return dir
}

// TestStackPackages checks what holds for each real package, and the chain of their dependencies.
func TestStackPackages(t *testing.T) {
	t.Parallel()
	all := stackPackages(t)
	for name, s := range all {
		if len(s.Enable) > 0 != (name == "forge-node") {
			t.Errorf("%s enables %q: only forge-node may", name, s.Enable)
		}
		for _, d := range s.Info.Depends {
			on, version, exact := strings.Cut(strings.TrimSuffix(d, ")"), " (= ")
			if _, ours := all[on]; ours && strings.HasPrefix(on, "forge-") && (!exact || version != all[on].Info.Version) {
				t.Errorf("%s depends on %q, not exactly on %s", name, d, all[on].Info.Version)
			}
		}
	}
	standin, ok := all["mesos"]
	if !ok || !strings.Contains(standin.Info.Version, "~standin") {
		t.Errorf("stand-in of mesos: %v, version %q", ok, standin.Info.Version)
	}
	if s := all["forge-mesos"]; !slices.Contains(s.Info.Depends, "mesos") {
		t.Errorf("forge-mesos depends on %q, not on mesos", s.Info.Depends)
	}
	if s := all["forge-role-slave"]; !slices.Contains(s.Info.Depends, "forge-mesos (>= "+all["forge-mesos"].Info.Version+")") {
		t.Errorf("forge-role-slave depends on %q", s.Info.Depends)
	}
	golden(t, "hadoop-copyright.golden", all["forge-hadoop"].Copyright)
	var m node.Component
	var label node.StandIn
	for _, e := range append(all["forge-mesos"].Entries, standin.Entries...) {
		into := map[string]any{"/usr/share/forge/components/mesos.json": &m, "/usr/share/forge/standins/mesos.json": &label}[e.Path]
		if into == nil {
			continue
		}
		if err := json.Unmarshal(e.Text, into); err != nil {
			t.Fatal(err)
		}
	}
	if m.Name != "mesos" || len(m.Services) == 0 {
		t.Errorf("manifest of mesos: %+v", m)
	}
	if label != (node.StandIn{Name: "mesos", Package: "mesos", Version: standin.Info.Version}) {
		t.Errorf("the stand-in's label is %+v", label)
	}
}

// TestStandinPackage installs the real stand-in, starts its agent through the wrapper, and purges it.
func TestStandinPackage(t *testing.T) {
	t.Parallel()
	spec, ok := stackPackages(t)["mesos"]
	if !ok {
		t.Fatal("no stand-in of mesos")
	}
	r, raw := build(t, spec)
	if r.Arch != "amd64" || !strings.Contains(r.Filename, "~standin") {
		t.Errorf("result %+v", r)
	}
	s := newSystem(t)
	before := s.files()
	s.run("dpkg", "--force-depends", "-i", s.put(raw, "mesos.deb"))
	if out, err := s.withProc("mesos-slave", "--version"); err != nil || !strings.Contains(out, "STAND-IN") {
		t.Errorf("mesos-slave --version: %v %s", err, out)
	}
	out, err := s.withProc("/usr/bin/mesos-init-wrapper", "slave")
	if err == nil || !strings.Contains(out, "Flag 'work_dir' is required, but it was not provided") {
		t.Errorf("slave without work_dir: %v\n%s", err, out)
	}
	if links := s.run("find", "/etc/systemd/system", "-name", "mesos*"); links != "" {
		t.Errorf("enabled: %s", links)
	}
	if got := s.run("sh", "-c", "dpkg-query -W -f '${Conffiles}' mesos | awk '{print $1}'"); got != "/etc/default/mesos\n/etc/default/mesos-master\n/etc/default/mesos-slave\n/etc/logrotate.d/mesos-standin\n/etc/mesos-master/quorum\n/etc/mesos-master/work_dir\n/etc/mesos/zk\n" {
		t.Errorf("conffiles:\n%s", got)
	}
	s.run("sh", "-c", "echo log >/var/log/mesos/mesos-slave.INFO")
	s.run("dpkg", "-P", "mesos")
	if left := added(append(before, "/var/log/dpkg.log", "/run/mount"), s.files()); len(left) > 0 {
		t.Errorf("left after purge: %q", left)
	}
}

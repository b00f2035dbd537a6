package recipe

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/node"
)

// repository is this checkout.
func repository(t *testing.T) fs.FS {
	t.Helper()
	root, err := os.OpenRoot("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root.FS()
}

// TestRepository loads every stack of this repository.
func TestRepository(t *testing.T) {
	names, err := ListStacks(repository(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		s, err := Load(repository(t), name)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Roles) == 0 {
			t.Errorf("stack %s has no roles", name)
		}
	}
}

// image writes what a role's packages hold for forge-node below a directory.
func image(t *testing.T, s *Stack, role string) *node.Image {
	t.Helper()
	root := t.TempDir()
	share := filepath.Join(root, "usr/share/forge")
	write := func(name string, b []byte) {
		file := filepath.Join(share, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	writeJSON := func(name string, v any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		write(name, b)
	}
	manifest := s.RoleManifest(s.Roles[role])
	writeJSON("roles/"+role+".json", manifest)
	for _, name := range manifest.Components {
		c := s.Components[name]
		writeJSON("components/"+name+".json", c.Manifest())
		for base, file := range c.Templates() {
			b, err := fs.ReadFile(s.FS, file)
			if err != nil {
				t.Fatal(err)
			}
			write("templates/"+name+"/"+base, b)
		}
	}
	img, err := node.LoadImage(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := img.Check(); err != nil {
		t.Fatal(err)
	}
	return img
}

// TestMesosAddress: a machine binds the node's address; a container, which may not have it, advertises it.
func TestMesosAddress(t *testing.T) {
	s, err := Load(repository(t), "bookworm")
	if err != nil {
		t.Fatal(err)
	}
	inv, err := cluster.Load("../../cluster.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for container, want := range map[bool]string{false: "/etc/mesos-slave/ip", true: "/etc/mesos-slave/advertise_ip"} {
		r, err := node.Render(image(t, s, "slave"), inv,
			node.Target{Node: "slave1", Role: "slave", Machine: cluster.Machine{RAM: 2048, CPUs: 2}, Container: container})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range r.Files {
			if strings.HasSuffix(f.Path, "ip") && string(f.Content) == "10.162.2.94\n" {
				got = append(got, f.Path)
			}
		}
		if len(got) != 1 || got[0] != want {
			t.Errorf("container %v: the address stands in %q, want %s", container, got, want)
		}
	}
}

// TestRender renders the slave of cluster.example.yaml, as forge-node does,
// and compares everything with testdata/slave1.txtar: the configuration with
// which DataNode, TaskTracker and the jobs of Hadoop 1.2.1 were tried.
func TestRender(t *testing.T) {
	s, err := Load(repository(t), "bookworm")
	if err != nil {
		t.Fatal(err)
	}
	inv, err := cluster.Load("../../cluster.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r, err := node.Render(image(t, s, "slave"), inv,
		node.Target{Node: "slave1", Role: "slave", Machine: cluster.Machine{RAM: 2048, CPUs: 2}, Container: true})
	if err != nil {
		t.Fatal(err)
	}
	var got txtar.Archive
	for _, f := range r.Files {
		if f.Path == "/etc/hosts" {
			continue
		}
		text := fmt.Sprintf("# %04o %s:%s restarts %v\n%s", f.Mode, f.Owner, f.Group, f.Restart, f.Content)
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		got.Files = append(got.Files, txtar.File{Name: f.Path, Data: []byte(text)})
	}
	var dirs, services strings.Builder
	for _, d := range r.Dirs {
		fmt.Fprintf(&dirs, "%04o %s:%s %s\n", uint32(d.Mode.Perm())|uint32(d.Mode&fs.ModeSticky)>>11, d.Owner, d.Group, d.Path)
	}
	for _, svc := range r.Services {
		fmt.Fprintf(&services, "%s user %s needs %v heap %d\n%s", svc.Name, svc.User, svc.Needs, svc.HeapMiB, svc.Script)
	}
	got.Files = append(got.Files, txtar.File{Name: "dirs", Data: []byte(dirs.String())},
		txtar.File{Name: "services", Data: []byte(services.String())})
	const file = "testdata/slave1.txtar"
	if *update {
		if err := os.WriteFile(file, txtar.Format(&got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(txtar.Format(&got))); diff != "" {
		t.Errorf("rendered node (-want +got):\n%s", diff)
	}
}

// TestUnits holds the units and run scripts of the services to the manifest:
// the same user, program and environment file.
func TestUnits(t *testing.T) {
	s, err := Load(repository(t), "bookworm")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sortedKeys(s.Components) {
		c := s.Components[name]
		if len(c.Services) == 0 || c.Upstream != nil {
			continue
		}
		rendered := map[string]bool{}
		for _, f := range c.Files {
			rendered[f.Path] = true
		}
		for _, svc := range c.Services {
			file := "overlays/" + c.Overlay + "/usr/lib/systemd/system/" + svc.Name + ".service"
			b, err := fs.ReadFile(s.FS, file)
			if err != nil {
				t.Errorf("service %s has no unit: %v", svc.Name, err)
				continue
			}
			unit := map[string]string{}
			for line := range strings.Lines(string(b)) {
				if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
					unit[key] = value
				}
			}
			env := unit["EnvironmentFile"] // or none at all
			if unit["User"] != svc.User || env != "" && (env != "/etc/default/"+svc.Name || !rendered[env]) {
				t.Errorf("%s: user %q, environment %q; the manifest says %q and renders %v", file, unit["User"], unit["EnvironmentFile"], svc.User, rendered[env])
			}
			// Only a shell takes a * for a pattern, and has words in a variable.
			script := strings.NewReplacer("'", "", `"`, "").Replace(strings.TrimSpace(svc.Runit))
			program := strings.NewReplacer("${", "$", "}", "").Replace(unit["ExecStart"])
			if !strings.HasSuffix(script, program) || env != "" && !strings.Contains(script, ". "+env+"\n") {
				t.Errorf("service %s: runit ends in something else than %q, or doesn't read %s", svc.Name, unit["ExecStart"], env)
			}
			if !strings.Contains(svc.Runit, "chpst -u "+svc.User+":") || !strings.Contains(svc.Runit, "-o "+unit["LimitNOFILE"]+" ") {
				t.Errorf("service %s: runit has another user or file limit than the unit", svc.Name)
			}
		}
	}
}

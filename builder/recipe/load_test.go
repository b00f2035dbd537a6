package recipe

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/mesos-forge/forge/builder/node"
)

// checkout makes a file system of the archive, laid over testdata/good.txtar.
func checkout(t testing.TB, over ...txtar.File) fstest.MapFS {
	t.Helper()
	good, err := txtar.ParseFile("testdata/good.txtar")
	if err != nil {
		t.Fatal(err)
	}
	m := fstest.MapFS{}
	for _, f := range append(good.Files, over...) {
		m[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
	}
	return m
}

// TestErrors loads each checkout of testdata/errors and compares the whole
// message with its section "want".
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/errors/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want string
			var over []txtar.File
			for _, f := range a.Files {
				if f.Name == "want" {
					want = string(f.Data)
				} else {
					over = append(over, f)
				}
			}
			m, stack := checkout(t, over...), "demo"
			if _, ok := m["recipes/child/stack.yaml"]; ok {
				stack = "child"
			}
			s, err := Load(m, stack)
			if err == nil || s != nil {
				t.Fatal("loaded")
			}
			got := err.Error() + "\n"
			if *update {
				a.Files = append(over, txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func mustLoad(t *testing.T, m fs.FS, name string) *Stack {
	t.Helper()
	s, err := Load(m, name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLoad(t *testing.T) {
	s := mustLoad(t, checkout(t), "demo")
	c := s.Components["store"]
	if got := c.PackageName() + " " + c.PackageVersion(); got != "forge-store 1.2-2" {
		t.Errorf("package %s", got)
	}
	if got := s.Components["java"].PackageName(); got != "" {
		t.Errorf("a component of Debian packages alone has the package %q", got)
	}
	if s.Components["brought"].Revision != 1 {
		t.Errorf("revision without a key: %d", s.Components["brought"].Revision)
	}
	if c.Package.Section != "net" || c.Package.Depends[0] != "libc6" || c.Package.Scripts.PostInstall != "files/postinst" {
		t.Errorf("nfpm's block: %+v", c.Package)
	}
	if got := c.Templates(); got["store.conf"] != "recipes/demo/templates/store/store.conf" {
		t.Errorf("templates: %v", got)
	}
	want := Operation{Extract: "docs", Member: "inner.tgz", Include: []string{"doc/**"}, Strip: 1, To: "/usr/share/doc/forge-store"}
	if diff := cmp.Diff(want, c.Layout[1]); diff != "" {
		t.Error(diff)
	}
	role, err := s.Role("worker")
	if err != nil {
		t.Fatal(err)
	}
	manifest := s.RoleManifest(role)
	wantRole := node.Role{Name: "worker", Description: "does the work", Components: []string{"store", "brought"},
		Services: []string{"stored", "broughtd"}, MustNotListen: []int{2181}}
	if diff := cmp.Diff(wantRole, manifest); diff != "" {
		t.Error(diff)
	}
	if m := s.Components["brought"].Manifest(); m.Version != "2.0" || m.Services[0].Name != "broughtd" {
		t.Errorf("manifest: %+v", m)
	}
}

func TestOverlayEntries(t *testing.T) {
	m := checkout(t)
	m["overlays/store/usr/bin/tool"] = &fstest.MapFile{Data: []byte("#!"), Mode: 0o700}
	o := mustLoad(t, m, "demo").Overlays["store"]
	type entry struct {
		Path, Kind, Owner, Group, Target string
		Mode                             uint32
		Conffile                         bool
	}
	var got []entry
	for _, e := range o.Entries {
		got = append(got, entry{e.Path, string(e.Kind), e.Owner, e.Group, e.Target, e.Mode, e.Conffile})
	}
	want := []entry{
		{"/etc/store/current", "link", "root", "root", "notes", 0, false},
		{"/etc/store/limits", "file", "store", "root", "", 0o640, true},
		{"/etc/store/notes", "file", "store", "root", "", 0o640, false},
		{"/srv/store", "dir", "root", "store", "", 0o2775, false},
		{"/usr/bin/tool", "file", "root", "root", "", 0o755, false},
		{"/usr/share/store/readme", "file", "root", "root", "", 0o644, false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if e := o.Entries[5]; e.Size != 5 || e.Source != "overlays/store/usr/share/store/readme" ||
		e.SHA256 != "15fd60c6f5c6804626177d178f3dba849a41f4a1878b2e7e7e3ed38a194dc82b" {
		t.Errorf("entry: %+v", e)
	}
}

// TestOverlayLink: a link in the tree could lead anywhere, and git on some
// systems makes a file of it.
func TestOverlayLink(t *testing.T) {
	m := checkout(t)
	m["overlays/store/etc/link"] = &fstest.MapFile{Data: []byte("/etc/shadow"), Mode: fs.ModeSymlink | 0o777}
	_, err := Load(m, "demo")
	if err == nil || !strings.Contains(err.Error(), "overlays/store/etc/link is a symbolic link (name it under links: in overlay.yaml)") {
		t.Fatal(err)
	}
}

func TestUnknownNames(t *testing.T) {
	m := checkout(t)
	_, err := Load(m, "dmeo")
	var nf *NotFoundError
	if !errors.As(err, &nf) || err.Error() != `stack "dmeo" not found in recipes: did you mean "demo"?; there is: demo` {
		t.Errorf("%v", err)
	}
	_, err = mustLoad(t, m, "demo").Role("zzz")
	if !errors.As(err, &nf) || err.Error() != `role "zzz" not found in stack demo; there is: all, worker` {
		t.Errorf("%v", err)
	}
	if _, err := Load(m, "../demo"); err == nil {
		t.Error("a name with a path was loaded")
	}
	if _, err := Schema("stck"); err == nil || !strings.Contains(err.Error(), `did you mean "stack"?`) {
		t.Errorf("%v", err)
	}
}

func TestExtends(t *testing.T) {
	child := []txtar.File{
		{Name: "recipes/child/stack.yaml", Data: []byte("name: child\nsummary: a child\nversion: \"2\"\n" +
			"maintainer: Test <test@example.invalid>\nextends: demo\nrootfs: {packages: [busybox]}\n")},
		{Name: "recipes/child/components/java.yaml", Data: []byte("name: java\nsummary: newer Java\nversion: \"21\"\n" +
			"licence: GPL-2.0-only\nhomepage: https://openjdk.org/\ndebian: [openjdk-21-jre-headless]\n")},
	}
	s := mustLoad(t, checkout(t, child...), "child")
	if got := strings.Join(s.Rootfs.Packages, " "); got != "busybox" {
		t.Errorf("rootfs packages %s", got)
	}
	if s.Apt.Origin != "Debian" || s.Boot.Cmdline != "console=ttyS0" || s.Tools.Image[0] != "e2fsprogs" {
		t.Errorf("the parent's sections are missing: %+v", s)
	}
	if s.Components["java"].Version != "21" || s.Components["store"].Dir != "recipes/demo" {
		t.Error("components are not those of the child over those of the parent")
	}
	if got := s.RoleVersion(s.Roles["worker"]); got != "2-1" {
		t.Errorf("role version %s", got)
	}
	names, err := ListStacks(s.FS)
	if err != nil || strings.Join(names, " ") != "child demo" {
		t.Errorf("stacks %v, %v", names, err)
	}
}

// TestBounds: reading stays small whatever the files are.
func TestBounds(t *testing.T) {
	for name, data := range map[string]string{
		"is nested deeper than 24 levels": strings.Repeat("[", 1<<15),
		"larger than 65536 bytes":         "name: " + strings.Repeat("a", 1<<16),
		"must be a mapping":               strings.Repeat("- ", 1<<14),
	} {
		m := checkout(t, txtar.File{Name: "recipes/demo/components/java.yaml", Data: []byte(data)})
		if _, err := Load(m, "demo"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want %q, got %v", name, err)
		}
	}
	var many strings.Builder
	for i := range 200 {
		many.WriteString("k" + strings.Repeat("x", i) + ": 1\n")
	}
	m := checkout(t, txtar.File{Name: "recipes/demo/components/java.yaml", Data: []byte(many.String())})
	_, err := Load(m, "demo")
	if err == nil || strings.Count(err.Error(), "\n") != maxErrors || !strings.HasSuffix(err.Error(), "more errors") {
		t.Errorf("errors are not bounded: %v", err)
	}
}

// changed loads the checkout before and after an edit and gives the names of
// the inputs that differ.
func changed(t *testing.T, inputs func(*Stack) []Input, edit func(fstest.MapFS)) []string {
	t.Helper()
	m := checkout(t)
	before := map[string]string{}
	for _, in := range inputs(mustLoad(t, m, "demo")) {
		before[in.Name] = in.SHA256
		if len(in.SHA256) != 64 {
			t.Errorf("input %s has the digest %q", in.Name, in.SHA256)
		}
	}
	edit(m)
	names := []string{}
	for _, in := range inputs(mustLoad(t, m, "demo")) {
		if before[in.Name] != in.SHA256 {
			names = append(names, in.Name)
		}
		delete(before, in.Name)
	}
	for name := range maps.Keys(before) {
		names = append(names, "gone "+name)
	}
	return names
}

func TestInputs(t *testing.T) {
	replace := func(file, old, new string) func(fstest.MapFS) {
		return func(m fstest.MapFS) {
			data := string(m[file].Data)
			if !strings.Contains(data, old) {
				t.Fatalf("%s doesn't hold %q", file, old)
			}
			m[file] = &fstest.MapFile{Data: []byte(strings.Replace(data, old, new, 1)), Mode: m[file].Mode}
		}
	}
	store := func(s *Stack) []Input { return s.ComponentInputs("store") }
	brought := func(s *Stack) []Input { return s.ComponentInputs("brought") }
	standin := func(s *Stack) []Input { return s.StandinInputs("brought") }
	role := func(s *Stack) []Input { return s.RoleInputs("worker") }
	const storeYAML, broughtYAML = "recipes/demo/components/store.yaml", "recipes/demo/components/brought.yaml"
	tests := []struct {
		name   string
		inputs func(*Stack) []Input
		edit   func(fstest.MapFS)
		want   []string
	}{
		{"comment", store, replace(storeYAML, "name: store\n", "# x\nname: store\n"), nil},
		{"order of keys", store, replace(storeYAML, "  section: net\n  depends: [libc6]\n", "  depends: [libc6]\n  section: net\n"), nil},
		{"setting", store, replace(storeYAML, "percent: 10", "percent: 11"), []string{storeYAML}},
		{"template", store, replace("recipes/demo/templates/store/store.conf", "name", "Name"), []string{"recipes/demo/templates/store/store.conf"}},
		{"script", store, replace("recipes/demo/files/postinst", "exit", "exit "), []string{"recipes/demo/files/postinst"}},
		{"copied file", store, replace("recipes/demo/files/motd", "hello", "hallo"), []string{"recipes/demo/files/motd"}},
		{"overlay file", store, replace("overlays/store/etc/store/notes", "none", "some"), []string{"overlays/store/etc/store/notes"}},
		{"overlay mode", store, replace("overlays/store/overlay.yaml", "0640", "0600"), []string{"overlays/store/overlay.yaml"}},
		{"overlay summary", store, replace("overlays/store/overlay.yaml", "of the store", "x"), nil},
		{"x bit", store, func(m fstest.MapFS) { m["overlays/store/etc/store/notes"].Mode = 0o755 }, nil},
		{"x bit without a rule", store, func(m fstest.MapFS) { m["overlays/store/usr/share/store/readme"].Mode = 0o755 }, []string{"overlays/store/overlay.yaml"}},
		{"other component", store, replace(broughtYAML, "MIT", "ISC"), nil},
		{"stand-in apart", brought, replace(broughtYAML, "~standin1", "~standin2"), nil},
		{"stand-in", standin, replace(broughtYAML, "~standin1", "~standin2"), []string{broughtYAML}},
		{"stand-in's overlay", standin, replace("overlays/standin/etc/default/brought", "A=1", "A=2"), []string{"overlays/standin/etc/default/brought"}},
		{"role", role, replace("overlays/worker/etc/worker", "w", "v"), []string{"overlays/worker/etc/worker"}},
		{"role and its component", role, replace(storeYAML, "percent: 10", "percent: 11"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == nil {
				tt.want = []string{}
			}
			if diff := cmp.Diff(tt.want, changed(t, tt.inputs, tt.edit)); diff != "" {
				t.Errorf("changed inputs (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzDecode: no YAML makes the decoder panic, hang, or accept what it then
// can't describe.
func FuzzDecode(f *testing.F) {
	good, err := txtar.ParseFile("testdata/good.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range good.Files {
		f.Add(file.Data)
	}
	for _, s := range []string{"", "a: &a [*a]", "? {a: b} : c", "[]", "{", "name: |\n  x\n y", "a:\n- b\n-", "\t", "<<: {a: b}", "name: !!binary x", "package: {contents: [{dst: /x, file_info: {mode: 0644}}]}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, out := range []any{&Component{}, &Stack{}, &Role{}, &Overlay{}} {
			probs := &problems{}
			d := &document{path: "x.yaml", place: map[string]position{}, probs: probs}
			ok := d.decode(b, out)
			if ok != (probs.err() == nil) {
				t.Fatalf("ok %v with errors %v", ok, probs.err())
			}
			if ok && len(canonical(out)) != 64 {
				t.Fatal("no digest")
			}
		}
	})
}

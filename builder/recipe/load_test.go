package recipe_test

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mesos-forge/forge/builder/recipe"
)

// checkout returns the recipes and overlays of this repository as a file system that can be changed.
func checkout(t *testing.T) fstest.MapFS {
	t.Helper()
	m := fstest.MapFS{}
	root := os.DirFS("../..")
	for _, dir := range []string{"recipes", "overlays"} {
		err := fs.WalkDir(root, dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := fs.ReadFile(root, path)
			if err != nil {
				return err
			}
			fi, err := d.Info()
			if err != nil {
				return err
			}
			m[path] = &fstest.MapFile{Data: b, Mode: fi.Mode()}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func TestBookwormLoads(t *testing.T) {
	s, err := recipe.Load(checkout(t), "bookworm")
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Role("slave")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"hadoop-hdfs-datanode", "hadoop-0.20-mapreduce-tasktracker", "mesos-slave"}; !slices.Equal(r.Services, want) {
		t.Errorf("services of slave = %q; want %q", r.Services, want)
	}
	if got := len(s.Components["hadoop"].Artifacts); got < 20 {
		t.Errorf("hadoop has %d artifacts; want the 20 of a home and more", got)
	}
}

func TestUnknownNames(t *testing.T) {
	_, err := recipe.Load(checkout(t), "bokworm")
	var nf *recipe.NotFoundError
	if !errors.As(err, &nf) || !strings.Contains(err.Error(), "bookworm") {
		t.Errorf("error = %v; want one that suggests bookworm", err)
	}
	s, err := recipe.Load(checkout(t), "bookworm")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Role("slav"); !errors.As(err, &nf) || !strings.Contains(err.Error(), "slave") {
		t.Errorf("error = %v; want one that suggests slave", err)
	}
}

// Each wrong recipe is refused at its file and line.
func TestMistakes(t *testing.T) {
	const hdfs = "recipes/bookworm/components/hdfs.yaml"
	for _, c := range []struct{ name, file, old, new, want string }{
		{"unknown key", hdfs, "summary: HDFS", "sumary: HDFS", "summary"},
		{"wrong type", hdfs, "    order: 30", "    order: thirty", "order"},
		{"missing overlay", hdfs, "overlay: hdfs", "overlay: hdsf", "hdfs"},
		{"dangling component", hdfs, "requires: [hadoop]", "requires: [hadop]", "hadoop"},
		{"dangling service", "recipes/bookworm/roles/slave.yaml", "hadoop-hdfs-datanode", "hadoop-hdfs-datanod", "hadoop-hdfs-datanode"},
		{"dangling artifact", "recipes/bookworm/components/hadoop.yaml", "extract: hadoop-core", "extract: hadoop-cor", "hadoop-core"},
		{"missing template", "recipes/bookworm/components/hadoop.yaml", "template: hadoop-env.sh", "template: hadoop-env.zsh", "hadoop-env"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := checkout(t)
			text := string(m[c.file].Data)
			if !strings.Contains(text, c.old) {
				t.Fatalf("%s does not hold %q", c.file, c.old)
			}
			line := 1 + strings.Count(text[:strings.Index(text, c.old)], "\n")
			m[c.file] = &fstest.MapFile{Data: []byte(strings.Replace(text, c.old, c.new, 1)), Mode: 0o644}
			_, err := recipe.Load(m, "bookworm")
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.file+":") {
				t.Errorf("error = %v; want one at %s:%d that names %q", err, c.file, line, c.want)
			}
		})
	}
}

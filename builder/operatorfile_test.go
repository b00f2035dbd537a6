package builder

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/store"
)

// operatorCase is a build of cdh5's role slave with some files in the operator's folder.
type operatorCase struct {
	name     string
	files    map[string]string // content by path below the operator's folder
	profile  string
	recipe   func(*recipe.Stack)
	pins     pins
	want     []string // parts of the error; none: no error
	standIns []string // packages that are stand-ins, or hold some
}

// find is what a build looks for before any step runs.
func (c operatorCase) find(t *testing.T) (*Builder, error) {
	t.Helper()
	stack, err := recipe.Load(os.DirFS(".."), "cdh5")
	if err != nil {
		t.Fatal(err)
	}
	if c.recipe != nil {
		c.recipe(stack)
	}
	vendor := filepath.Join(t.TempDir(), "vendor")
	for path, content := range c.files {
		path = filepath.Join(vendor, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b := &Builder{opt: Options{Vendor: vendor, Profile: c.profile}, stack: stack, pins: c.pins,
		operator: map[string]*operatorDeb{}, files: map[string]operatorFiles{}}
	r := stack.Roles["slave"]
	for _, look := range []func(*recipe.Role) error{b.findOperatorFiles, b.findOperatorDebs, b.checkEggs} {
		if err = look(r); err != nil {
			break
		}
	}
	return b, err
}

func TestOperatorFiles(t *testing.T) {
	const spark, egg = "spark-1.5.1-bin-hadoop2.6.tgz", "mesos-0.19.0-py2.7-linux-x86_64.egg"
	anySpark := func(s *recipe.Stack) {
		a := s.Components["spark"].Artifacts["spark"]
		a.SHA256 = nil
		s.Components["spark"].Artifacts["spark"] = a
	}
	mesosIs := func(version string) func(*recipe.Stack) {
		return func(s *recipe.Stack) { s.Components["mesos"].Upstream.Standin.Version = version }
	}
	locked := pins{file: "LOCK", only: true, lock: &lock.Lock{Stack: "cdh5"}}
	all := []string{"mesos", "forge-mesos-egg", "forge-spark"}
	for _, c := range []operatorCase{
		{name: "no folder", standIns: all},
		{name: "from a lock without them", pins: locked, standIns: all},
		{name: "other files", files: map[string]string{"notes.txt": "", "hadoop-2.3.0-cdh5.1.2.tar.gz": ""}, standIns: all},
		{name: "Spark", files: map[string]string{"old/" + spark: "x"}, recipe: anySpark, standIns: all[:2]},
		{name: "the egg", files: map[string]string{egg: "x"}, standIns: []string{"mesos", "forge-spark"}},
		{name: "Spark of another digest", files: map[string]string{spark: "x"},
			want: []string{"component spark: artifact spark: ", "VENDOR/" + spark, "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 is not among those known: sha256:41ab59b2"}},
		{name: "Spark that the lock has not", files: map[string]string{spark: "x"}, recipe: anySpark, pins: locked,
			want: []string{"VENDOR/" + spark + " is not in lock LOCK, which alone counts"}},
		{name: "Spark's source", files: map[string]string{"spark-1.5.1.tgz": "x"},
			want: []string{"VENDOR/spark-1.5.1.tgz is refused: it is Spark's source, which has to be built first; take it away, and put " + spark + " there"}},
		{name: "Spark's source beside the right one", files: map[string]string{"spark-1.5.1.tgz": "x", spark: "x"}, recipe: anySpark,
			want: []string{"VENDOR/spark-1.5.1.tgz is refused"}},
		{name: "another Spark", files: map[string]string{"spark-1.5.2-bin-hadoop2.6.tgz": "x"},
			want: []string{"VENDOR/spark-1.5.2-bin-hadoop2.6.tgz is refused: it is another version of Spark"}},
		{name: "production", profile: ProfileProduction, recipe: func(s *recipe.Stack) { s.Roles["slave"].Components = []string{"spark"} },
			want: []string{"component spark: artifact spark: no file matches " + spark + " in VENDOR, and stand-ins are for the profile lab only"}},
		{name: "without a stand-in", recipe: func(s *recipe.Stack) {
			a := s.Components["spark"].Artifacts["spark"]
			a.Standin = nil
			s.Components["spark"].Artifacts["spark"] = a
		}, want: []string{"no file matches " + spark + " in VENDOR, and nothing stands in for it: put it there"}},
		{name: "the egg of another version", files: map[string]string{"mesos-0.19.0_rc2-py2.7-linux-x86_64.egg": "x"},
			want: []string{"component mesos-egg: the egg mesos-0.19.0_rc2-py2.7-linux-x86_64.egg has version 0.19.0-rc2, and the package mesos has 0.19.0-1~standin1: they must be one version of one build [F04]"}},
		{name: "another Mesos than the egg", files: map[string]string{egg: "x"}, recipe: mesosIs("0.20.1-1.0~standin1"),
			want: []string{"the egg mesos-0.19.0-py2.7-linux-x86_64.egg has version 0.19.0, and the package mesos has 0.20.1-1.0~standin1"}},
		{name: "Mesosphere's way to write it", files: map[string]string{egg: "x"}, recipe: mesosIs("0.19.0~ubuntu14.04+1"), standIns: []string{"mesos", "forge-spark"}},
		{name: "two eggs", files: map[string]string{egg: "x", "mesos-0.19.1-py2.7-linux-x86_64.egg": "x"},
			want: []string{"component mesos-egg: artifact egg: folder VENDOR has 2 files for it: " + egg + ", mesos-0.19.1-py2.7-linux-x86_64.egg; leave the one that is meant"}},
		{name: "no egg's name", files: map[string]string{"mesos-0.19.0-python2.7.egg": "x"},
			want: []string{"mesos-0.19.0-python2.7.egg is not named as an egg is"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := c.find(t)
			if len(c.want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				if got := b.standIns(b.stack.Roles["slave"]); !slices.Equal(got, c.standIns) {
					t.Errorf("stand-ins %v, want %v", got, c.standIns)
				}
				return
			}
			for _, want := range c.want {
				if want = strings.ReplaceAll(want, "VENDOR", b.opt.Vendor); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q in it", err, want)
				}
			}
		})
	}
}

// TestOperatorFileMakesAnotherStep: what an unpinned file holds is part of the key of the step that takes it.
func TestOperatorFileMakesAnotherStep(t *testing.T) {
	const egg = "mesos-0.19.0-py2.7-linux-x86_64.egg"
	for _, content := range []string{"one", "two"} {
		b, err := operatorCase{files: map[string]string{egg: content}}.find(t)
		if err != nil {
			t.Fatal(err)
		}
		s := b.fetchArtifacts("sources/mesos-egg", b.stack.Components["mesos-egg"])
		if got := s.Inputs["operator's file "+egg]; got != store.DigestOf([]byte(content)) {
			t.Errorf("input %s, want the digest of %q", got, content)
		}
	}
}

// TestStandInFilesAreNamed: what lists and SBOM say of a package with stand-ins in it, and of the same package
// with the real file.
func TestStandInFilesAreNamed(t *testing.T) {
	for _, c := range []struct {
		files   map[string]string
		standIn bool
		part    string
		wanted  string
	}{
		{nil, true, "stand-in of egg 0.19.0~standin pkg:generic/forge-standin-mesos-egg-egg@0.19.0~standin", "mesos-[0-9]*-py*.egg"},
		{map[string]string{"mesos-0.19.0-py2.7-linux-x86_64.egg": "x"}, false, "egg 0.19.0 pkg:generic/mesos-egg-egg@0.19.0", ""},
	} {
		b, err := operatorCase{files: c.files}.find(t)
		if err != nil {
			t.Fatal(err)
		}
		r := b.stack.Roles["slave"]
		p := b.billPackages(r)["forge-mesos-egg"]
		part := p.Parts["mesos-egg/egg"]
		if got := part.Name + " " + part.Version + " " + part.Purl; p.StandIn != c.standIn || got != c.part {
			t.Errorf("stand-in %v, part %s; want %v, %s", p.StandIn, got, c.standIn, c.part)
		}
		wanted := ""
		for _, w := range b.wanted(r) {
			if w.Package == "forge-mesos-egg" {
				wanted = w.File
			}
		}
		if wanted != c.wanted {
			t.Errorf("wanted %q, want %q", wanted, c.wanted)
		}
	}
}

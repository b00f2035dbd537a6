package builder

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/deb"
)

func TestFits(t *testing.T) {
	for _, c := range []struct {
		name, stack     string
		mesos, marathon string // of the operator's packages; "": none
		jar             string // in the operator's folder
		library         string // version of Mesos's in it
		accept          []string
		want            string // "": they fit
	}{
		{"the document's, which are right together", "cdh5", "0.19.0-1", "0.6.1-1", "hadoop-mesos-0.0.8.jar", "0.19.0", nil, ""},
		{"a Marathon of later", "cdh5", "1:0.19.0-1", "0.8.2-1.0.1", "", "", nil, "marathon 0.8.2 does not go with Mesos 0.19.0 [F25]: take marathon 0.6.0 to 0.6, or if it is meant so, write accept: [F25] into forge.yaml"},
		{"the same, accepted", "cdh5", "0.19.0-1", "0.8.2-1.0.1", "", "", []string{"F25"}, ""},
		{"a Mesos that the recipe's Marathon is not for", "cdh5", "1.0.1-2.0.93", "", "", "", nil, "mesos_1.0.1-2.0.93_amd64.deb: marathon 0.6.1 does not go with Mesos 1.0.1"},
		{"nothing of the operator's", "cdh5", "", "", "", "", nil, ""},
		{"the newest", "bookworm", "1.11.0-2.0.1", "1.5.11-1", "", "", nil, ""},
		{"a library of another Mesos", "bookworm", "1.11.0-2.0.1", "", "hadoop-mesos-0.1.0.jar", "0.21.0", nil, "hadoop-mesos-0.1.0.jar: it holds the library of Mesos 0.21.0, and the Mesos beside it is 1.11.0 [F25]"},
		{"a library of a patch of it", "bookworm", "1.11.0-2.0.1", "", "hadoop-mesos-0.1.0.jar", "1.11.1", nil, ""},
		{"a library without one", "bookworm", "1.11.0-2.0.1", "", "hadoop-mesos-0.1.0.jar", "", nil, ""},
		{"an old Marathon", "bookworm", "1.11.0-2.0.1", "1.4.2-1", "", "", nil, "marathon 1.4.2 does not go with Mesos 1.11.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stack, err := loadStack("..", c.stack)
			if err != nil {
				t.Fatal(err)
			}
			b := &Builder{stack: stack, opt: Options{Vendor: t.TempDir(), Accept: c.accept}, files: map[string]operatorFiles{}, operator: map[string]*operatorDeb{}}
			for name := range stack.Components {
				b.files[name] = operatorFiles{}
			}
			for name, version := range map[string]string{"mesos": c.mesos, "marathon": c.marathon} {
				if version != "" {
					b.operator[name] = &operatorDeb{Result: deb.Result{Version: version, Filename: name + "_" + version + "_amd64.deb"}}
				}
			}
			if c.jar != "" {
				if err := os.WriteFile(filepath.Join(b.opt.Vendor, c.jar), jarWith(t, c.library), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			err = b.checkFits()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// jarWith is a jar that holds a version of Mesos's library, or none.
func jarWith(t *testing.T, library string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	members := map[string]string{"org/apache/hadoop/mapred/MesosScheduler.class": ""}
	if library != "" {
		members["META-INF/maven/org.apache.mesos/mesos/pom.properties"] = "#Generated\nversion=" + library + "\ngroupId=org.apache.mesos\n"
	}
	for name, content := range members {
		m, err := w.Create(name)
		if err == nil {
			_, err = m.Write([]byte(content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

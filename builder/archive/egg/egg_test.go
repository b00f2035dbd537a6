package egg

import (
	"archive/zip"
	"bytes"
	"strings"
	"testing"
)

func zipped(t *testing.T, members map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range members {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCheck(t *testing.T) {
	const info = "EGG-INFO/PKG-INFO"
	for _, c := range []struct {
		file  string
		bytes []byte
		want  string // the egg, or a part of the error
	}{
		{"mesos-0.19.0-py2.7-linux-x86_64.egg", zipped(t, map[string]string{info: "Metadata-Version: 1.0\nName: mesos\nVersion: 0.19.0\n"}), "mesos 0.19.0 2.7 linux-x86_64"},
		{"mesos-0.19.0_rc2-py2.7-linux-x86_64.egg", zipped(t, map[string]string{info: "Name: mesos\nVersion: 0.19.0-rc2\nDescription: two\n  lines\n"}), "mesos 0.19.0_rc2 2.7 linux-x86_64"},
		{"mesos.interface-1.11.0-py2.7.egg", zipped(t, map[string]string{info: "Name: mesos.interface\nVersion: 1.11.0"}), "mesos.interface 1.11.0 2.7 "},
		{"mesos-0.19.0-py2.7-linux-x86_64.egg", zipped(t, map[string]string{info: "Name: mesos\nVersion: 0.19.0-rc2\n"}), "holds mesos 0.19.0-rc2, as its EGG-INFO/PKG-INFO says"},
		{"mesos-0.19.0-py2.7-linux-x86_64.egg", zipped(t, map[string]string{info: "Name: other\nVersion: 0.19.0\n"}), "holds other 0.19.0"},
		{"mesos-0.19.0-py2.7-linux-x86_64.egg", zipped(t, map[string]string{"mesos.py": ""}), "mesos-0.19.0-py2.7-linux-x86_64.egg is no egg: "},
		{"mesos-0.19.0-py2.7-linux-x86_64.egg", zipped(t, map[string]string{info: "no header at all"}), "EGG-INFO/PKG-INFO: malformed MIME header"},
		{"mesos-0.19.0-py2.7-linux-x86_64.egg", []byte("<html>404</html>"), "is no egg: "},
		{"mesos-0.19.0.tar.gz", nil, "mesos-0.19.0.tar.gz is not named as an egg is"},
		{"../mesos-0.19.0-py2.7.egg.bak", nil, "mesos-0.19.0-py2.7.egg.bak is not named as an egg is"},
	} {
		i, err := Check(bytes.NewReader(c.bytes), int64(len(c.bytes)), c.file)
		got := strings.Join([]string{i.Name, i.Version, i.Python, i.Platform}, " ")
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != c.want || err != nil && !strings.Contains(got, c.want) {
			t.Errorf("%s: %s; want %s", c.file, got, c.want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte("PK\x05\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "mesos-0.19.0-py2.7-linux-x86_64.egg")
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		if i, err := Check(bytes.NewReader(b), int64(len(b)), name); err == nil && (i.Name == "" || i.Version == "" || i.Python == "") {
			t.Errorf("%q is an egg of %+v", name, i)
		}
	})
}

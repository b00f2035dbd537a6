package dist_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/archive/dist"
)

var marathon = dist.Layout{Program: "marathon", Launchers: []string{"bin/marathon", "bin/start"},
	Jars: []string{"lib/*marathon-[0-9]*.jar", "target/**marathon-assembly-*.jar"}}

// entry is one of a made archive: a folder where the name ends in /, a link where to is set, else a file.
type entry struct {
	name, to string
	mode     int64
}

func pack(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: e.mode, Typeflag: tar.TypeReg}
		switch {
		case e.to != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.to
		case strings.HasSuffix(e.name, "/"):
			h.Typeflag = tar.TypeDir
		default:
			h.Size = int64(len(e.name))
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte(e.name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// release has the layout of Marathon up to 1.4, old, or from 1.5 on.
func release(top, version string, old bool) []entry {
	if old {
		return []entry{{name: top + "/", mode: 0o755}, {name: top + "/bin/start", mode: 0o755}, {name: top + "/target/scala-2.11/marathon-assembly-" + version + ".jar", mode: 0o644}}
	}
	return []entry{{name: top + "/bin/marathon", mode: 0o755}, {name: top + "/lib/mesosphere.marathon.marathon-" + version + ".jar", mode: 0o644},
		{name: top + "/lib/com.typesafe.akka.akka-actor_2.11-2.4.18.jar", mode: 0o644}, {name: top + "/lib/mesosphere.marathon.plugin-interface-" + version + ".jar", mode: 0o644}}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		entries    []entry
		want       dist.Info
	}{
		{"1.5", "marathon-1.5.11.tgz", release("marathon-1.5.11", "1.5.11", false),
			dist.Info{Version: "1.5.11", Top: "marathon-1.5.11", Launcher: "bin/marathon", Jar: "lib/mesosphere.marathon.marathon-1.5.11.jar"}},
		{"with a commit", "marathon-1.8.222-86475ddac.tgz", release("marathon-1.8.222-86475ddac", "1.8.222-86475ddac", false),
			dist.Info{Version: "1.8.222", Top: "marathon-1.8.222-86475ddac", Launcher: "bin/marathon", Jar: "lib/mesosphere.marathon.marathon-1.8.222-86475ddac.jar"}},
		{"0.6", "marathon-0.6.1.tar.gz", release("marathon-0.6.1", "0.6.1", true),
			dist.Info{Version: "0.6.1", Top: "marathon-0.6.1", Launcher: "bin/start", Jar: "target/scala-2.11/marathon-assembly-0.6.1.jar"}},
		{"jar in target itself, a link inside", "marathon-0.6.1.tgz",
			append([]entry{{name: "marathon-0.6.1/target/marathon-assembly-0.6.1.jar"}, {name: "marathon-0.6.1/bin/start", to: "../tools/start"}}, entry{name: "marathon-0.6.1/tools/start", mode: 0o755}),
			dist.Info{Version: "0.6.1", Top: "marathon-0.6.1", Launcher: "bin/start", Jar: "target/marathon-assembly-0.6.1.jar"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := marathon.Check(context.Background(), bytes.NewReader(pack(t, tt.entries...)), tt.file)
			if err != nil || got != tt.want {
				t.Errorf("%+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	const name, top = "marathon-1.5.11.tgz", "marathon-1.5.11"
	good := release(top, "1.5.11", false)
	whole := pack(t, good...)
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-6] ^= 1 // of the checksum
	with := func(more ...entry) []byte { return pack(t, append(append([]entry(nil), good...), more...)...) }
	for _, tt := range []struct {
		name, file string
		content    []byte
		want       string
	}{
		{"another name", "marathon.tgz", whole, "marathon.tgz is not named as a release is, marathon-VERSION.tgz"},
		{"another program", "chronos-1.5.11.tgz", whole, "is not named as a release is"},
		{"empty", name, nil, name + " is no release of marathon: it is empty"},
		{"a renamed jar", name, []byte("PK\x03\x04............"), name + " is no release of marathon: it is a jar or zip archive under another name"},
		{"a renamed package", name, []byte("!<arch>\ndebian-binary"), "it is a Debian package under another name"},
		{"a page", name, []byte("<html>404</html>"), "it is not compressed with gzip"},
		{"cut off", name, whole[:len(whole)/2], name + ": malformed archive: unexpected EOF"},
		{"damaged", name, damaged, name + " is cut off or damaged: gzip: invalid checksum"},
		{"holds nothing", name, pack(t), name + " holds nothing: take the file as marathon 1.5.11 was published"},
		{"version of the folder", name, pack(t, release("marathon-1.5.9", "1.5.11", false)...), name + " has the folder marathon-1.5.9, and its name says marathon-1.5.11"},
		{"version that only begins alike", "marathon-1.5.1.tgz", whole, "has the folder marathon-1.5.11, and its name says marathon-1.5.1"},
		{"version of the jar", name, pack(t, release(top, "1.5.9", false)...), name + " holds marathon-1.5.11/lib/mesosphere.marathon.marathon-1.5.9.jar, which is of version 1.5.9, and its name says 1.5.11"},
		{"no launcher", name, pack(t, good[1:]...), name + " has no bin/marathon or bin/start below marathon-1.5.11 to start it"},
		{"launcher without x", name, pack(t, append([]entry{{name: top + "/bin/marathon", mode: 0o644}}, good[1:]...)...), name + " has marathon-1.5.11/bin/marathon, which is not executable"},
		{"renamed jar inside", name, pack(t, good[0], entry{name: top + "/lib/app.jar"}), name + " has no jar lib/*marathon-[0-9]*.jar or target/**marathon-assembly-*.jar below marathon-1.5.11, only lib/app.jar, and a jar under another name is not taken for it"},
		{"no jar", name, pack(t, good[0]), "has no jar lib/*marathon-[0-9]*.jar"},
		{"two jars", name, with(entry{name: top + "/lib/marathon-1.5.9.jar"}), "has 2 jars of the program: lib/mesosphere.marathon.marathon-1.5.11.jar, lib/marathon-1.5.9.jar"},
		{"two folders", name, with(entry{name: "chronos-2.4.0/bin/start"}), `entry "chronos-2.4.0/bin/start": a second folder at the top, beside marathon-1.5.11`},
		{"a file at the top", name, pack(t, append([]entry{{name: "README"}}, good...)...), `entry "README": it is at the top, where a release has one folder`},
		{"a link out", name, with(entry{name: top + "/conf", to: "../../etc"}), `entry "marathon-1.5.11/conf": leads out of the destination: symbolic link to "../../etc"`},
		{"a link beside", name, with(entry{name: top + "/conf", to: "../chronos"}), `entry "marathon-1.5.11/conf": it is a link to ../chronos, out of marathon-1.5.11`},
		{"an absolute link", name, with(entry{name: top + "/conf", to: "/etc/passwd"}), `symbolic link to "/etc/passwd"`},
		{"a name that leads out", name, with(entry{name: "../../etc/passwd"}), `the name has a ".." in it`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := marathon.Check(context.Background(), bytes.NewReader(tt.content), tt.file)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want it to say %s", err, tt.want)
			}
		})
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte("PK\x03\x04"))
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := marathon.Check(context.Background(), bytes.NewReader(b), "marathon-1.5.11.tgz")
		if err == nil && (i.Version != "1.5.11" || i.Launcher == "" || i.Jar == "") {
			t.Errorf("accepted as %+v", i)
		}
	})
}

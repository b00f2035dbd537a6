package evidence_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/evidence"
)

func TestVerifyFile(t *testing.T) {
	key := newKey(t)
	o := newOutput(t, key, "hello")
	for _, name := range []string{"slave/image", deb, deb + builder.SBOMSuffix, "slave/forge.lock", "slave/sbom.spdx.json"} {
		v, err := evidence.VerifyFile(t.Context(), o.path(name), &key.Public)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if v.Role != "slave" || v.Stack != "bookworm" || v.KeyID != key.ID() || len(v.Checks) < 5 {
			t.Errorf("%s: %+v", name, v)
		}
		if want := o.digest; name == "slave/image" && v.Digest != want {
			t.Errorf("the image has digest %s, want %s", v.Digest, want)
		}
	}
}

// TestVerifyFileRefuses changes one thing at a time.
func TestVerifyFileRefuses(t *testing.T) {
	key, other := newKey(t), newKey(t)
	signed, bundle := "slave/"+builder.ProvenanceName, "slave/"+builder.BundleName
	for name, c := range map[string]struct {
		verify string
		change func(o *output)
		is     error
		says   string
	}{
		"a byte of a layer":                    {"slave/image", func(o *output) { o.flip(o.layer) }, evidence.ErrTampered, "blobs/sha256/"},
		"a byte of a layer, and the sums":      {"slave/image", func(o *output) { o.flip(o.layer); o.sum() }, evidence.ErrTampered, "layer 1 (forge layer/base)"},
		"a layer that is gone":                 {"slave/image", func(o *output) { must(t, os.Remove(o.path(o.layer))) }, fs.ErrNotExist, "blobs/sha256/"},
		"a byte of the lock":                   {"slave/image", func(o *output) { o.flip("slave/forge.lock") }, evidence.ErrTampered, "slave/forge.lock"},
		"a byte of the lock, and the sums":     {deb, func(o *output) { o.flip("slave/forge.lock"); o.sum() }, evidence.ErrTampered, "slave/forge.lock"},
		"a byte of the SBOM, and the sums":     {"slave/image", func(o *output) { o.flip("slave/sbom.spdx.json"); o.sum() }, evidence.ErrTampered, "slave/sbom.spdx.json"},
		"an SBOM that is gone":                 {"slave/image", func(o *output) { must(t, os.Remove(o.path("slave/sbom.spdx.json"))) }, fs.ErrNotExist, "slave/sbom.spdx.json"},
		"a byte of a package":                  {deb, func(o *output) { o.flip(deb) }, evidence.ErrTampered, deb},
		"a byte of a package, and the sums":    {deb, func(o *output) { o.flip(deb); o.sum() }, evidence.ErrSubject, deb},
		"another image with the signature":     {"slave/image", func(o *output) { must(t, os.RemoveAll(o.path("slave/image"))); o.image("another"); o.sum() }, evidence.ErrSubject, "slave/image"},
		"a byte of the provenance":             {deb, func(o *output) { o.flip(signed); o.sum() }, evidence.ErrTampered, signed},
		"no signature":                         {deb, func(o *output) { must(t, os.Remove(o.path(bundle))) }, evidence.ErrNotSigned, "forge build with a key"},
		"a signature of another key":           {deb, func(o *output) { o.sign(other, o.read(signed)) }, evidence.ErrOtherKey, other.ID()},
		"a signature of a changed statement":   {deb, func(o *output) { o.write(bundle, changedPayload(t, o.read(bundle))) }, evidence.ErrTampered, "signature"},
		"no line among the sums":               {"slave/new", func(o *output) { o.write("slave/new", "x") }, nil, "has no line for slave/new"},
		"sums that are none":                   {deb, func(o *output) { o.write(builder.SumsName, "hello\n") }, nil, "line 1"},
		"sums of a file outside of the folder": {deb, func(o *output) { o.write(builder.SumsName, strings.Repeat("a", 64)+"  ../x\n") }, nil, "line 1"},
		"no sums":                              {deb, func(o *output) { must(t, os.Remove(o.path(builder.SumsName))) }, nil, "in no output folder"},
		"no such file":                         {"debs/absent.deb", func(*output) {}, fs.ErrNotExist, "absent.deb"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOutput(t, key, "hello")
			c.change(o)
			v, err := evidence.VerifyFile(t.Context(), o.path(c.verify), &key.Public)
			if err == nil || v != nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want %v, with %q", err, c.is, c.says)
			}
		})
	}
}

// changedPayload changes a letter of the statement in a bundle.
func changedPayload(t *testing.T, bundle []byte) string {
	t.Helper()
	at := bytes.Index(bundle, []byte(`"payload":"`)) + 100
	if at < 100 {
		t.Fatal("the bundle has no payload")
	}
	changed := bytes.Clone(bundle)
	if changed[at] = 'A'; bundle[at] == 'A' {
		changed[at] = 'B'
	}
	return string(changed)
}

func TestInspectFile(t *testing.T) {
	key := newKey(t)
	o := newOutput(t, key, "hello")
	i, err := evidence.InspectFile(t.Context(), o.path("slave/image"))
	must(t, err)
	if i.Kind != "image" || i.Digest != o.digest || i.Stack != "bookworm" || len(i.Roles) != 1 || i.Roles[0] != "slave" || len(i.Image.Layers) != 1 {
		t.Errorf("%+v", i)
	}
	if len(i.Packages) != 1 || i.Packages[0] != (evidence.Package{Name: "libc6", Version: "2.36"}) {
		t.Errorf("packages %v", i.Packages)
	}
	if len(i.Attached) != 3 || i.Attached[1].KeyID != key.ID() {
		t.Errorf("attached: %+v; want provenance, its signature and the SBOM", i.Attached)
	}
	lock, err := evidence.InspectFile(t.Context(), o.path("slave/forge.lock"))
	must(t, err)
	if lock.Kind != "file" || lock.Digest != "sha256:"+o.sha256("slave/forge.lock") || lock.Size != int64(len(o.read("slave/forge.lock"))) {
		t.Errorf("%+v", lock)
	}
	moved := filepath.Join(t.TempDir(), "image")
	must(t, os.Rename(o.path("slave/image"), moved))
	if alone, err := evidence.InspectFile(t.Context(), moved); err != nil || alone.Digest != o.digest || len(alone.Attached) > 0 {
		t.Errorf("a layout alone: %+v, %v", alone, err)
	}
	if _, err := evidence.InspectFile(t.Context(), o.path("slave")); err == nil || !strings.Contains(err.Error(), "name a file in it") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := evidence.InspectFile(t.Context(), o.path(deb)); err == nil {
		t.Error("what is no package passes for one")
	}
}

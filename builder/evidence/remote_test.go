package evidence_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/evidence"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/image/oci/registrytest"
	"github.com/mesos-forge/forge/builder/publish/provenance"
	"github.com/mesos-forge/forge/builder/publish/sign"
)

// push sends the image of an output folder to a repository, and returns the reference with its digest.
func (o *output) push(to string) string {
	o.t.Helper()
	ref, err := oci.Push(o.t.Context(), o.path("slave/image"), to, oci.PushOptions{})
	must(o.t, err)
	return ref
}

func (o *output) attach(ref string, key *sign.Key) []evidence.Attached {
	o.t.Helper()
	done, err := evidence.Attach(o.t.Context(), o.dir, "slave", ref, key, oci.RemoteOptions{})
	must(o.t, err)
	return done
}

// TestVerifyDisk holds a disk in a registry to what is attached to it.
func TestVerifyDisk(t *testing.T) {
	host := registrytest.Registry{}.Start(t)
	key := newKey(t)
	o := newOutput(t, nil, "hello")
	d := oci.Disk{Path: o.path("slave/disk.qcow2"), StandIns: []string{"mesos"}, Annotations: map[string]string{oci.RoleLabel: "slave", oci.StackLabel: "bookworm"}}
	ref, err := oci.PushDisk(t.Context(), d, host+"/disks/slave:1", oci.PushOptions{AllowStandins: true})
	must(t, err)
	if _, err := evidence.VerifyImage(t.Context(), ref, &key.Public, oci.RemoteOptions{}); !errors.Is(err, evidence.ErrNotSigned) {
		t.Errorf("not signed: %v", err)
	}
	if done := o.attach(ref, key); len(done) != 5 {
		t.Errorf("attached %+v; want SBOM, lock and three statements", done)
	}
	file := "sha256:" + o.sha256("slave/disk.qcow2")
	v, err := evidence.VerifyImage(t.Context(), host+"/disks/slave:1", &key.Public, oci.RemoteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if v.Name != ref || v.Digest != file || v.Role != "slave" || v.Stack != "bookworm" {
		t.Errorf("%+v", v)
	}
	i, err := evidence.InspectImage(t.Context(), ref, oci.RemoteOptions{})
	must(t, err)
	if i.Kind != "disk" || i.Stack != "bookworm" || !slices.Equal(i.Roles, []string{"slave"}) || !slices.Equal(i.StandIns, []string{"mesos"}) || len(i.Attached) != 5 || i.Image.Disk != file {
		t.Errorf("%+v", i)
	}
	other := newOutput(t, nil, "another")
	if _, err := evidence.Attach(t.Context(), other.dir, "slave", ref, key, oci.RemoteOptions{}); !errors.Is(err, evidence.ErrSubject) {
		t.Errorf("what tells about another disk: %v", err)
	}
	attached, err := oci.Attach(t.Context(), ref, oci.Artifact{Type: "text/plain", Content: []byte("x")}, oci.RemoteOptions{})
	must(t, err)
	repository, _, _ := strings.Cut(ref, "@")
	if _, err := evidence.InspectImage(t.Context(), repository+"@"+attached, oci.RemoteOptions{}); err == nil || !strings.Contains(err.Error(), `neither an image nor a disk of forge but an artifact of the type "text/plain"`) {
		t.Errorf("an artifact: %v", err)
	}
}

func TestVerifyImage(t *testing.T) {
	host := registrytest.Registry{}.Start(t)
	key, second := newKey(t), newKey(t)
	o := newOutput(t, nil, "hello")
	ref := o.push(host + "/cluster/slave:1")

	unsigned := o.attach(ref, nil)
	if len(unsigned) != 3 {
		t.Fatalf("without a key %+v is attached; want SBOM, lock and provenance", unsigned)
	}
	if _, err := evidence.VerifyImage(t.Context(), ref, &key.Public, oci.RemoteOptions{}); !errors.Is(err, evidence.ErrNotSigned) {
		t.Errorf("not signed: %v", err)
	}

	first := o.attach(ref, key)
	if again := o.attach(ref, key); !slices.Equal(first, again) || len(first) != 5 {
		t.Errorf("attached %+v, the second time %+v; want five artifacts, once", first, again)
	}
	o.attach(ref, second)
	for _, k := range []*sign.Key{key, second} {
		v, err := evidence.VerifyImage(t.Context(), host+"/cluster/slave:1", &k.Public, oci.RemoteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if v.Name != ref || v.Digest != o.digest || v.Role != "slave" || v.KeyID != k.ID() {
			t.Errorf("%+v", v)
		}
	}
	third := newKey(t)
	if _, err := evidence.VerifyImage(t.Context(), ref, &third.Public, oci.RemoteOptions{}); !errors.Is(err, evidence.ErrOtherKey) || !strings.Contains(err.Error(), key.ID()) {
		t.Errorf("another key: %v", err)
	}

	i, err := evidence.InspectImage(t.Context(), host+"/cluster/slave:1", oci.RemoteOptions{})
	must(t, err)
	var keys []string
	for _, a := range i.Attached {
		if a.KeyID != "" {
			keys = append(keys, a.Predicate+" "+a.KeyID)
		}
	}
	slices.Sort(keys)
	var want []string
	for _, k := range []*sign.Key{key, second} {
		want = append(want, evidence.PredicateImage+" "+k.ID(), evidence.PredicateSPDX+" "+k.ID(), "https://slsa.dev/provenance/v1 "+k.ID())
	}
	slices.Sort(want)
	if !slices.Equal(keys, want) || len(i.Packages) != 1 || i.Digest != o.digest || len(i.Attached) != 9 {
		t.Errorf("signatures %v, want %v; %d attached, packages %v", keys, want, len(i.Attached), i.Packages)
	}
}

// TestVerifyImageRefuses: what somebody changed in a registry is found, and named.
func TestVerifyImageRefuses(t *testing.T) {
	data := t.TempDir()
	host := registrytest.Registry{Data: data}.Start(t)
	key := newKey(t)
	for name, c := range map[string]struct {
		attach bool
		change func(o *output, ref string)
		is     error
		says   string
	}{
		"a byte of a layer":  {true, func(o *output, _ string) { flip(t, registrytest.Blob(data, "sha256:"+o.sha256(o.layer))) }, evidence.ErrTampered, "layer 1, sha256:"},
		"a byte of the lock": {true, func(o *output, _ string) { flip(t, registrytest.Blob(data, "sha256:"+o.sha256("slave/forge.lock"))) }, evidence.ErrTampered, evidence.LockType},
		"another lock": {false, func(o *output, ref string) {
			attach(t, ref, sign.BundleType, o.read("slave/"+builder.BundleName))
			attach(t, ref, evidence.LockType, []byte("stack: other\n"))
		}, evidence.ErrTampered, "the signed provenance says"},
		"no lock": {false, func(o *output, ref string) {
			attach(t, ref, sign.BundleType, o.read("slave/"+builder.BundleName))
		}, nil, "not attached"},
		"signatures of another image": {false, func(o *output, ref string) {
			attach(t, ref, sign.BundleType, newOutput(t, key, "another").read("slave/"+builder.BundleName))
		}, evidence.ErrSubject, "about another image"},
		"signatures of another image beside it": {true, func(o *output, ref string) {
			attach(t, ref, sign.BundleType, newOutput(t, key, "another").read("slave/"+builder.BundleName))
		}, nil, ""},
		"a changed statement": {false, func(o *output, ref string) {
			attach(t, ref, sign.BundleType, []byte(changedPayload(t, o.read("slave/"+builder.BundleName))))
		}, evidence.ErrTampered, "signature"},
		"what is no bundle": {false, func(o *output, ref string) { attach(t, ref, sign.BundleType, []byte("hello")) }, evidence.ErrNotSigned, ""},
		"a signature without provenance": {false, func(o *output, ref string) {
			var text bytes.Buffer
			must(t, provenance.WriteStatement(&text, evidence.PredicateImage, []provenance.File{{SHA256: strings.TrimPrefix(o.digest, "sha256:")}}, struct{}{}))
			bundle, err := key.Statement(t.Context(), text.Bytes())
			must(t, err)
			attach(t, ref, sign.BundleType, bundle)
		}, evidence.ErrNotSigned, "no provenance"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOutput(t, key, name)
			ref := o.push(host + "/" + strings.ReplaceAll(name, " ", "-") + ":1")
			if c.attach {
				o.attach(ref, key)
			}
			c.change(o, ref)
			v, err := evidence.VerifyImage(t.Context(), ref, &key.Public, oci.RemoteOptions{})
			if c.attach && c.is == nil {
				must(t, err)
				return
			}
			if err == nil || c.is != nil && !errors.Is(err, c.is) || v != nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want %v, with %q", err, c.is, c.says)
			}
		})
	}
}

func attach(t *testing.T, ref, kind string, content []byte) {
	t.Helper()
	_, err := oci.Attach(t.Context(), ref, oci.Artifact{Type: kind, Content: content}, oci.RemoteOptions{})
	must(t, err)
}

func TestAttachRefuses(t *testing.T) {
	host := registrytest.Registry{}.Start(t)
	key := newKey(t)
	o := newOutput(t, key, "hello")
	ref := newOutput(t, key, "another").push(host + "/cluster/slave:1")
	if _, err := evidence.Attach(t.Context(), o.dir, "slave", ref, key, oci.RemoteOptions{}); !errors.Is(err, evidence.ErrSubject) {
		t.Errorf("provenance of another image: %v", err)
	}
	changed := newOutput(t, key, "another")
	changed.flip("slave/forge.lock")
	if _, err := evidence.Attach(t.Context(), changed.dir, "slave", ref, key, oci.RemoteOptions{}); !errors.Is(err, evidence.ErrTampered) || !strings.Contains(err.Error(), "forge.lock") {
		t.Errorf("a lock that is not that of the provenance: %v", err)
	}
	if _, err := evidence.Attach(t.Context(), t.TempDir(), "slave", ref, key, oci.RemoteOptions{}); err == nil || !strings.Contains(err.Error(), "forge build makes it") {
		t.Errorf("nothing to sign: %v", err)
	}
	if done, err := evidence.Attach(t.Context(), t.TempDir(), "slave", ref, nil, oci.RemoteOptions{}); err != nil || len(done) > 0 {
		t.Errorf("nothing to attach: %v, %v", done, err)
	}
}

package oci

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// TestContents reads the layers of an image in a layout and in a registry.
func TestContents(t *testing.T) {
	host, _ := startRegistry(t, plainly)
	cfg := slaveConfig()
	cfg.StandIns = nil
	dir, _ := writeImage(t, writeLayers(t), cfg)
	_, err := Push(t.Context(), dir, host+"/cluster/slave:1", PushOptions{})
	must(t, err)
	here, err := OpenLayout(dir)
	must(t, err)
	there, err := OpenRemote(t.Context(), host+"/cluster/slave:1", RemoteOptions{})
	must(t, err)
	for name, c := range map[string]*Contents{"layout": here, "registry": there} {
		want, err := InspectLayout(dir)
		must(t, err)
		want.Ref = c.Info.Ref
		if diff := cmp.Diff(want, c.Info); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(cfg.Env, c.Config.Env); diff != "" {
			t.Errorf("%s: environment (-want +got):\n%s", name, diff)
		}
		for i, l := range c.Info.Layers {
			r, err := c.Layer(i)
			must(t, err)
			sum := sha256.New()
			_, err = io.Copy(sum, r)
			must(t, err)
			must(t, r.Close())
			if got := fmt.Sprintf("sha256:%x", sum.Sum(nil)); got != l.DiffID {
				t.Errorf("%s: layer %d has the digest %s, want %s", name, i, got, l.DiffID)
			}
		}
	}
	if _, err := OpenLayout(t.TempDir()); err == nil {
		t.Error("an empty folder was opened")
	}
	if _, err := OpenRemote(t.Context(), host+"/cluster/slave:none", RemoteOptions{}); err == nil {
		t.Error("a tag that isn't there was opened")
	}
}

func TestUnpacked(t *testing.T) {
	zip, err := zstd.NewWriter(nil)
	must(t, err)
	for name, content := range map[string][]byte{"plain": []byte("a layer"), "zstd": zip.EncodeAll([]byte("a layer"), nil)} {
		r, err := unpacked(io.NopCloser(bytes.NewReader(content)))
		must(t, err)
		if got, err := io.ReadAll(r); err != nil || string(got) != "a layer" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		must(t, r.Close())
	}
	if _, err := unpacked(io.NopCloser(bytes.NewReader([]byte{0x1f, 0x8b, 0, 0}))); err == nil {
		t.Error("a gzip header that is none was taken")
	}
	if r, err := unpacked(io.NopCloser(bytes.NewReader(nil))); err != nil {
		t.Error(err)
	} else if b, err := io.ReadAll(r); err != nil || len(b) > 0 {
		t.Errorf("%q, %v", b, err)
	}
}

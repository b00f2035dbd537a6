package builder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/image/oci"
)

func TestBuiltDisk(t *testing.T) {
	out := t.TempDir()
	expect := func(want string) {
		t.Helper()
		if _, err := BuiltDisk(out, "slave"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(out, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	expect(`"forge build --role slave" makes one`)
	layer := filepath.Join(t.TempDir(), "layer")
	f, err := os.Create(layer)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	epoch := time.Unix(1700000000, 0)
	info, err := oci.WriteLayer(t.Context(), t.TempDir(), false, epoch, f)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(out, "slave"), 0o755); err != nil {
		t.Fatal(err)
	}
	write("slave/disk.qcow2", "QFI")
	expect(`"forge build" makes one`) // an image
	if _, err := oci.WriteLayout(filepath.Join(out, "slave", "image"), []oci.LayerFile{info.File(layer, "test")},
		oci.Config{Role: "slave", Created: epoch, StandIns: []string{"mesos"}}); err != nil {
		t.Fatal(err)
	}
	expect("forge build writes it last")
	digest := strings.Repeat("ab", 32)
	write(SumsName, digest+"  master/disk.qcow2\n")
	expect("is not of the last build of the role")
	write(SumsName, digest+" slave/disk.qcow2\n")
	expect("line 1")
	write(SumsName, digest+"  slave/disk.qcow2\n")
	got, err := BuiltDisk(out, "slave")
	if err != nil {
		t.Fatal(err)
	}
	if got.Annotations["org.opencontainers.image.created"] != "2023-11-14T22:13:20Z" {
		t.Errorf("annotations %v", got.Annotations)
	}
	got.Annotations = nil
	if diff := cmp.Diff(oci.Disk{Path: filepath.Join(out, "slave/disk.qcow2"), Digest: "sha256:" + digest, StandIns: []string{"mesos"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

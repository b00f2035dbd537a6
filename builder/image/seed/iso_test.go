package seed_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"

	"github.com/mesos-forge/forge/builder/image/seed"
)

func write(t *testing.T, spec seed.Spec) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "seed.iso")
	if err := seed.WriteISO(path, spec); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestISOReadBack(t *testing.T) {
	big := slave1()
	big.Inventory = noise(seed.MaxInventory)
	for name, spec := range map[string]seed.Spec{"small": slave1(), "1 MiB": big} {
		t.Run(name, func(t *testing.T) { readBack(t, spec) })
	}
}

// noise is n letters that are hardly compressible.
func noise(n int) []byte {
	b := make([]byte, n)
	for i, x := 0, uint32(1); i < n; i++ {
		x = x*1664525 + 1013904223
		b[i] = 'a' + byte(x>>24)%26
	}
	return b
}

// openVolume opens an image and checks its label.
func openVolume(t *testing.T, path, want string) *iso9660.FileSystem {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	image, err := iso9660.Read(file.New(f, true), 0, 0, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if label := strings.TrimRight(image.Label(), " \x00"); label != want {
		t.Errorf("label %q, want %q", label, want)
	}
	return image
}

func readBack(t *testing.T, spec seed.Spec) {
	path := write(t, spec)
	want, err := seed.Files(spec)
	if err != nil {
		t.Fatal(err)
	}
	image := openVolume(t, path, seed.VolumeID)
	entries, err := image.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(want) {
		t.Errorf("%d entries", len(entries))
	}
	for _, e := range entries {
		got, err := image.ReadFile(e.Name())
		if err != nil || !bytes.Equal(got, want[e.Name()]) || len(got) == 0 {
			t.Errorf("%s: %d bytes, %v", e.Name(), len(got), err)
		}
		info, err := e.Info()
		if err != nil || !info.ModTime().Equal(spec.Epoch) {
			t.Errorf("%s: %v, %v", e.Name(), info, err)
		}
	}
}

func TestISOMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seed.iso")
	if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := seed.WriteISO(path, slave1()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 || info.Size() < 16*2048 {
		t.Errorf("%v, %v", info, err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Neither the clock, the time zone nor the builder's user reaches the image.
func TestISODeterministic(t *testing.T) {
	first, err := os.ReadFile(write(t, slave1()))
	if err != nil {
		t.Fatal(err)
	}
	zone := time.Local
	time.Local = time.FixedZone("far", -7*3600)
	t.Cleanup(func() { time.Local = zone })
	time.Sleep(1100 * time.Millisecond) // an image's times count seconds
	spec := slave1()
	spec.Epoch = spec.Epoch.Local()
	second, err := os.ReadFile(write(t, spec))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("two images of one Spec differ")
	}
	now := []byte(time.Now().UTC().Format("200601"))
	if bytes.Contains(first, now) {
		t.Errorf("the image holds this month, %s", now)
	}
	spec.Epoch = spec.Epoch.Add(time.Hour)
	third, err := os.ReadFile(write(t, spec))
	if err != nil || bytes.Equal(first, third) {
		t.Errorf("another epoch gives the same image (%v)", err)
	}
}

func TestISOWithIsoinfo(t *testing.T) {
	if _, err := exec.LookPath("isoinfo"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("isoinfo is missing; install genisoimage")
		}
		t.Skip("isoinfo is missing; install genisoimage to run this test")
	}
	path := write(t, slave1())
	isoinfo := func(args ...string) string {
		out, err := exec.Command("isoinfo", append([]string{"-i", path}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("isoinfo %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if out := isoinfo("-d"); !strings.Contains(out, "Volume id: cidata\n") || !strings.Contains(out, "Rock Ridge") {
		t.Errorf("isoinfo -d:\n%s", out)
	}
	if out := isoinfo("-R", "-f"); out != "/meta-data\n/network-config\n/user-data\n" {
		t.Errorf("isoinfo -R -f: %q", out)
	}
	list := isoinfo("-R", "-l")
	if n := strings.Count(list, "-rw-------   1    0    0"); n != 3 || !strings.Contains(list, "May  6 2024") {
		t.Errorf("isoinfo -R -l:\n%s", list)
	}
	files, err := seed.Files(slave1())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if got := isoinfo("-R", "-x", "/"+name); got != string(want) {
			t.Errorf("isoinfo -x %s:\n%s", name, got)
		}
	}
}

func TestISONowhere(t *testing.T) {
	err := seed.WriteISO(filepath.Join(t.TempDir(), "missing", "seed.iso"), slave1())
	if err == nil || !strings.Contains(err.Error(), `seed of node "slave1": write `) {
		t.Errorf("got %v", err)
	}
}

// readDrive writes a configuration drive and reads its files back, by path.
func readDrive(t *testing.T, spec seed.Spec) map[string][]byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "drive.iso")
	if err := seed.Write(path, seed.OpenStack, spec); err != nil {
		t.Fatal(err)
	}
	image := openVolume(t, path, seed.ConfigDriveID)
	files := map[string][]byte{}
	for _, name := range []string{"meta_data.json", "network_data.json", "user_data"} {
		name = "openstack/latest/" + name
		content, err := image.ReadFile(name)
		if err != nil || len(content) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		files[name] = content
	}
	return files
}

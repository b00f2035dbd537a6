package builder

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestCopyFileKeepsBytesAndHoles(t *testing.T) {
	const size = 64 << 20
	for name, pieces := range map[string]map[int64]string{
		"empty": {}, "start": {0: "first"}, "end": {size - 4: "last"}, "middle": {1 << 20: "a", 40 << 20: "b"},
	} {
		dir := t.TempDir()
		src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "sub", "dst")
		f, err := os.Create(src)
		if err != nil {
			t.Fatal(err)
		}
		for at, text := range pieces {
			if _, err := f.WriteAt([]byte(text), at); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if err := copyFile(src, dst, 0o600); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a, _ := os.ReadFile(src)
		b, err := os.ReadFile(dst)
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: the copy differs (%v)", name, err)
		}
		info, err := os.Stat(dst)
		if err != nil || info.Mode() != 0o600 {
			t.Fatalf("%s: %v, %v; want mode 0600", name, info, err)
		}
		if used := info.Sys().(*syscall.Stat_t).Blocks * 512; used > size/8 {
			t.Errorf("%s: the copy of a file with holes takes %d bytes", name, used)
		}
	}
}

package rootfs

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

var sealEpoch = time.Unix(1_700_000_000, 0) // day 19675

// lay makes files: path -> content; a path that ends in / is a directory.
func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// list returns what is below dir: path -> content.
func list(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		out[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var unsealed = map[string]string{
	"etc/machine-id":                      "0123\n",
	"etc/resolv.conf":                     "nameserver 192.0.2.1\n",
	"etc/passwd":                          "root:x:0:0:root:/root:/bin/bash\n",
	"etc/passwd-":                         "backup",
	"etc/shadow":                          "root:$6$hash:20000:0:99999:7:::\nbin:*:100:0:99999:7:::\n",
	"etc/ssh/ssh_host_rsa_key":            "secret",
	"etc/ssh/sshd_config":                 "kept",
	"var/lib/dbus/machine-id":             "0123\n",
	"var/lib/cloud/instance/x":            "state",
	"var/lib/systemd/random-seed":         "random",
	"var/lib/apt/lists/some_InRelease":    "index",
	"var/lib/apt/lists/partial/":          "",
	"var/lib/dpkg/status":                 "kept",
	"var/lib/dpkg/status-old":             "backup",
	"var/lib/dpkg/updates/0001":           "journal",
	"var/cache/apt/pkgcache.bin":          "cache",
	"var/cache/apt/archives/x_1_all.deb":  "deb",
	"var/cache/ldconfig/aux-cache":        "cache",
	"var/cache/debconf/config.dat":        "kept",
	"var/cache/debconf/config.dat-old":    "backup",
	"var/log/dpkg.log":                    "log",
	"var/log/wtmp":                        "log",
	"var/log/apt/term.log":                "log",
	"var/log/journal/0123/system.journal": "log",
	"tmp/.X11":                            "left",
	"var/tmp/x/y":                         "left",
	"run/forge/x":                         "left",
	"root/.bashrc":                        "kept",
	"root/.bash_history":                  "history",
}

func TestSeal(t *testing.T) {
	dir := lay(t, unsealed)
	if err := Seal(t.Context(), SealSpec{Dir: dir, Epoch: sealEpoch}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"etc/machine-id":               "",
		"etc/passwd":                   "root:x:0:0:root:/root:/bin/bash\n",
		"etc/shadow":                   "root:*:19675:0:99999:7:::\nbin:*:100:0:99999:7:::\n",
		"etc/ssh/sshd_config":          "kept",
		"var/lib/dpkg/status":          "kept",
		"var/cache/debconf/config.dat": "kept",
		"var/log/wtmp":                 "",
		"root/.bashrc":                 "kept",
	}
	if diff := cmp.Diff(want, list(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(filepath.Join(dir, "run/lock")); err != nil || info.Mode() != os.ModeDir|os.ModeSticky|0o777 {
		t.Errorf("run/lock: %v %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "var/lib/apt/lists/partial")); err != nil {
		t.Error(err)
	}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.ModTime().After(sealEpoch) {
			t.Errorf("%s: time %v lies after the epoch", name, info.ModTime())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestSealDelta seals an upper layer: nothing is added, whiteouts stay.
func TestSealDelta(t *testing.T) {
	dir := lay(t, map[string]string{"var/log/": "", "etc/x": "kept", "var/lib/dpkg/status-old": "backup"})
	whiteout := filepath.Join(dir, "var/log/dpkg.log")
	if err := unix.Mknod(whiteout, unix.S_IFCHR, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../run/systemd/resolve/stub-resolv.conf", filepath.Join(dir, "etc/resolv.conf")); err != nil {
		t.Fatal(err)
	}
	if err := Seal(t.Context(), SealSpec{Dir: dir, Epoch: sealEpoch, Delta: true}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"etc/x": "kept"}, list(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for _, there := range []string{whiteout, filepath.Join(dir, "etc/resolv.conf")} {
		if _, err := os.Lstat(there); err != nil {
			t.Error(err)
		}
	}
}

// jks makes a key store of certificates; the aliases stand for their contents, too.
func jks(when int64, aliases ...string) []byte {
	b := binary.BigEndian.AppendUint32(nil, jksMagic)
	b = binary.BigEndian.AppendUint32(b, 2)
	b = binary.BigEndian.AppendUint32(b, uint32(len(aliases)))
	for _, a := range aliases {
		b = binary.BigEndian.AppendUint32(b, jksTrusted)
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(a))), a...)
		b = binary.BigEndian.AppendUint64(b, uint64(when))
		b = append(binary.BigEndian.AppendUint16(b, 5), "X.509"...)
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(a))), a...)
	}
	h := sha1.New()
	for _, c := range "changeit" {
		h.Write([]byte{0, byte(c)})
	}
	h.Write([]byte("Mighty Aphrodite"))
	h.Write(b)
	return h.Sum(b)
}

func TestSealKeystore(t *testing.T) {
	got, err := sealJKS(jks(1_800_000_000_123, "debian:b", "debian:a"), sealEpoch)
	if err != nil {
		t.Fatal(err)
	}
	if want := jks(sealEpoch.UnixMilli(), "debian:a", "debian:b"); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	good := jks(1, "x")
	private := slices.Clone(good)
	private[15] = 1
	for name, bad := range map[string][]byte{
		"empty":       nil,
		"cut":         good[:40],
		"wrong sum":   append(slices.Clone(good[:len(good)-1]), 0xff),
		"private key": append(private[:len(private)-20], jksSum(private[:len(private)-20])...),
		"count":       func() []byte { b := slices.Clone(good[:len(good)-20]); b[11] = 9; return append(b, jksSum(b)...) }(),
		"trailing":    func() []byte { b := append(slices.Clone(good[:len(good)-20]), 0); return append(b, jksSum(b)...) }(),
	} {
		if _, err := sealJKS(bad, sealEpoch); !errors.Is(err, errKeystore) {
			t.Errorf("%s: err = %v, want errKeystore", name, err)
		}
	}
}

func FuzzReadJKS(f *testing.F) {
	good := jks(1, "debian:a", "b")
	f.Add(good[:len(good)-20])
	f.Add([]byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := readJKS(data)
		if err == nil && len(entries) > len(data) {
			t.Errorf("%d entries of %d bytes", len(entries), len(data))
		}
	})
}

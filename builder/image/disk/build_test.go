package disk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/sandbox"
)

// sum is the SHA-256 of a file.
func sum(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// tool runs a program of s's tools on the directory of s.Output and returns what it printed.
func tool(t *testing.T, s Spec, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	err := sandbox.Run(t.Context(), sandbox.Spec{
		Root: s.Tools, Args: args, Stdout: &out, Stderr: &out,
		Binds: []sandbox.Bind{{Source: filepath.Dir(s.Output), Target: workTarget, ReadOnly: true}},
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return out.String()
}

func TestBuildTwiceAndLookInside(t *testing.T) {
	first, second := realSpec(t), realSpec(t)
	events := &event.Recorder{}
	first.Events = events
	result, err := Build(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2100 * time.Millisecond) // the resolution of FAT's clock
	if _, err := Build(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if sum(t, first.Output) != sum(t, second.Output) {
		t.Error("two disks of one tree differ")
	}
	if result.Kernel != "6.12-test" || result.Size%gib != 0 || result.Stored > result.Size/2 {
		t.Errorf("the result is %+v", result)
	}
	id, raw := deriveIDs(first.Seed), inTools("disk.raw")
	rootFS := fmt.Sprintf("%s?offset=%d", raw, rootStart)
	esp := fmt.Sprintf("%s@@%d", raw, espStart)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"sfdisk", "--verify", raw}, "No errors detected"},
		{[]string{"sfdisk", "--dump", raw}, gpt(id.RootPart)},
		{[]string{"e2fsck", "-f", "-n", rootFS}, "Pass 5"},
		{[]string{"debugfs", "-R", "show_super_stats -h", rootFS}, id.RootFS.String()},
		{[]string{"debugfs", "-R", "cat /etc/fstab", rootFS}, fstab(id)},
		{[]string{"debugfs", "-R", "cat /boot/grub/grub.cfg", rootFS}, grubConfig(id, "6.12-test", DefaultCmdline)},
		{[]string{"debugfs", "-R", "stat /boot/grub/i386-pc/normal.mod", rootFS}, "Mode:  0644"},
		{[]string{"debugfs", "-R", "stat /usr/bin/su", rootFS}, "Mode:  04755"},
		{[]string{"blkid", "-p", "-O", strconv.FormatInt(espStart, 10), raw}, `UUID="` + id.volumeUUID() + `"`},
		{[]string{"mdir", "-b", "-/", "-i", esp}, "::/EFI/BOOT/BOOTX64.EFI"},
	} {
		if got := tool(t, first, c.args...); !strings.Contains(got, c.want) {
			t.Errorf("%v lacks %q:\n%s", c.args, c.want, got)
		}
	}
	var phases, bytesTold bool
	for _, e := range events.Events() {
		phases = phases || e.Kind == event.Phase && e.Message == "mke2fs"
		bytesTold = bytesTold || e.Kind == event.Progress && e.Done > 0 && e.Done <= e.Total
	}
	if !phases || !bytesTold {
		t.Errorf("phase told: %v; progress told: %v", phases, bytesTold)
	}
	testFormats(t, first)
}

// testFormats converts the disk of s twice into each format.
func testFormats(t *testing.T, s Spec) {
	for _, c := range []Conversion{
		{Format: QCOW2}, {Format: QCOW2, Compression: Zlib}, {Format: VMDK}, {Format: VHD}, {Format: Raw},
	} {
		t.Run(string(c.Format+"/"+Format(c.Compression)), func(t *testing.T) {
			c.Tools, c.Source, c.Seed, c.Epoch = s.Tools, s.Output, s.Seed, s.Epoch
			var sums []string
			for _, name := range []string{"first", "second"} {
				c.Output = filepath.Join(filepath.Dir(s.Output), name)
				if err := Convert(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				sums = append(sums, sum(t, c.Output))
				time.Sleep(1100 * time.Millisecond) // the resolution of VHD's clock
			}
			if sums[0] != sums[1] {
				t.Error("two conversions of one disk differ")
			}
			if got := tool(t, s, "qemu-img", "compare", inTools("disk.raw"), inTools("first")); !strings.Contains(got, "identical") {
				t.Error(got)
			}
		})
	}
}

// empty fails the test when something lies in dir.
func empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s is left", e.Name())
	}
}

func TestBuildFailures(t *testing.T) {
	for _, c := range []struct {
		name   string
		want   string
		change func(*Spec)
	}{
		{"broken tree", "moon", func(s *Spec) {
			s.Tree = func(ctx context.Context, w io.Writer) error {
				_, err := w.Write(make([]byte, 100<<10)) // less than a block of the reader
				return errors.Join(err, errors.New("the moon is in the way"))
			}
		}},
		{"garbage", "read the tree", func(s *Spec) {
			s.Tree = func(ctx context.Context, w io.Writer) error {
				_, err := w.Write(bytes.Repeat([]byte("garbage!"), 1<<20))
				return err
			}
		}},
		{"too small", "ask for", func(s *Spec) { s.Size = 100 * mib }},
		{"more in the tar than was measured", "Could not allocate", func(s *Spec) {
			s.Size, s.Ext4.JournalMiB = 170*mib, 4
			smallRoot(t, s)
		}},
		{"a failing tool", "no FAT today", func(s *Spec) {
			s.Run = func(ctx context.Context, spec sandbox.Spec) error {
				if spec.Args[0] == "mkfs.fat" {
					return errors.New("no FAT today")
				}
				return sandbox.Run(ctx, spec)
			}
		}},
		{"no such feature", "Invalid filesystem option", func(s *Spec) { s.Ext4.Features = append(DefaultFeatures(), "frobnicate") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := realSpec(t)
			c.change(&s)
			if _, err := Build(t.Context(), s); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, not about %q", err, c.want)
			}
			empty(t, filepath.Dir(s.Output))
		})
	}
}

// smallRoot makes s measure a tree that holds a kernel and GRUB alone, while Tree writes the whole.
func smallRoot(t *testing.T, s *Spec) {
	t.Helper()
	whole, small := s.Root, t.TempDir()
	for _, d := range []string{"boot", grubPackaged + "/i386-pc", grubPackaged + "/x86_64-efi"} {
		if err := os.CopyFS(filepath.Join(small, d), os.DirFS(filepath.Join(whole, d))); err != nil {
			t.Fatal(err)
		}
	}
	s.Root = small
	s.Run = func(ctx context.Context, spec sandbox.Spec) error {
		if spec.Root == small {
			spec.Root = whole // grub-mkimage
		}
		return sandbox.Run(ctx, spec)
	}
}

func TestHostDiskFull(t *testing.T) {
	s := realSpec(t)
	full := t.TempDir()
	if err := unix.Mount("tmpfs", full, "tmpfs", 0, "size=60m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(full, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	check := func(err error) {
		t.Helper()
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "no space left on device under "+full) {
			t.Errorf("error is %v", err)
		}
		empty(t, full)
	}
	s.Output = filepath.Join(full, "disk.raw")
	_, err := Build(t.Context(), s)
	check(err)

	source := filepath.Join(t.TempDir(), "disk.raw")
	f, err := os.Create(source)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(f, io.LimitReader(newNoise(), 80*mib))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	check(Convert(t.Context(), Conversion{Tools: s.Tools, Source: source, Output: filepath.Join(full, "disk.qcow2"),
		Format: QCOW2, Seed: "s", Epoch: testEpoch}))
}

// newNoise gives bytes that do not compress.
func newNoise() io.Reader { return rand.NewChaCha8([32]byte{}) }

func TestInterrupted(t *testing.T) {
	s := realSpec(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("interrupted by the test")
	s.Events = event.Func(func(e event.Event) {
		if e.Kind == event.Progress {
			cancel(stop)
		}
	})
	if _, err := Build(ctx, s); !errors.Is(err, stop) && !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	empty(t, filepath.Dir(s.Output))
}

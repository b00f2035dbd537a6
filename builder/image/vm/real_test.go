package vm

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/sandbox"
)

// talker is a master boot record that prints "up" on the first serial port, and then each character
// it gets:
//
//	mov dx, 0x3f8; mov al, 'u'; out dx, al; mov al, 'p'; out dx, al; mov al, '\n'; out dx, al
//	1: mov dx, 0x3fd; in al, dx; test al, 1; jz 1b; mov dx, 0x3f8; in al, dx; out dx, al; jmp 1b
func talker() []byte {
	disk := make([]byte, 1<<20)
	copy(disk, []byte{
		0xba, 0xf8, 0x03, 0xb0, 'u', 0xee, 0xb0, 'p', 0xee, 0xb0, '\n', 0xee,
		0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf8, 0xba, 0xf8, 0x03, 0xec, 0xee, 0xeb, 0xf1,
	})
	disk[510], disk[511] = 0x55, 0xaa
	return disk
}

// QEMU itself, of the host and in a tree: the disk is not written, the console is heard and kept.
func TestRealQEMU(t *testing.T) {
	need(t, qemu, qemuImg)
	for name, programs := range map[string]Programs{"host": {}, "tree": hostAsTree(t)} {
		t.Run(name, func(t *testing.T) {
			disk := write(t, "disk,1.raw", talker())
			s := Spec{
				Name: "slave1", Programs: programs, Disk: Drive{Path: disk}, DiskSize: 64 << 20,
				Seed: write(t, "seed.iso", make([]byte, 4096)), Accel: TCG, Network: Network{Kind: User, Restrict: true},
				SerialLog: filepath.Join(t.TempDir(), "serial.log"), Dir: t.TempDir(),
			}
			if err := os.Chmod(disk, 0o400); err != nil {
				t.Fatal(err)
			}
			m, err := Start(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			talk(t, m)
			if log, err := os.ReadFile(s.SerialLog); err != nil || !strings.Contains(string(log), "up\nhello") {
				t.Errorf("serial log %q, %v", log, err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := m.PowerOff(ctx); err == nil || !strings.Contains(err.Error(), "was killed: context deadline") {
				t.Errorf("power off: %v", err)
			}
			if left, err := os.ReadDir(s.Dir); err != nil || len(left) > 0 {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}

// hostAsTree is a tree that shows the host's programs.
func hostAsTree(t *testing.T) Programs {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"usr", "etc", "dev", "proc", "sys", "run", "tmp"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{"bin", "lib", "lib64", "sbin"} {
		if err := os.Symlink("usr/"+link, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	return Programs{Root: root, Run: func(ctx context.Context, s sandbox.Spec) error {
		for _, dir := range []string{"/usr", "/etc"} {
			s.Binds = append(s.Binds, sandbox.Bind{Source: dir, Target: dir, ReadOnly: true})
		}
		return sandbox.Run(ctx, s)
	}}
}

// talk waits until the guest has printed "up", types, and reads what it says.
func talk(t *testing.T, m *Machine) {
	t.Helper()
	in, keys := io.Pipe()
	screen, out := io.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for len(consoleTail(m.spec.SerialLog, 1)) == 0 && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
	}
	ends := make(chan error, 1)
	go func() {
		ends <- m.Attach(ctx, in, out)
		out.Close()
	}()
	if _, err := io.WriteString(keys, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(screen).ReadString('\n'); err != nil || line != "hello\n" {
		t.Errorf("console %q, %v", line, err)
	}
	if _, err := keys.Write([]byte{Detach}); err != nil {
		t.Error(err)
	}
	if err := <-ends; err != nil {
		t.Error(err)
	}
}

// A disk with nothing to boot is a dead end that UEFI itself names.
func TestRealUEFI(t *testing.T) {
	need(t, qemu, qemuImg)
	if _, err := os.Stat(ovmfCode); err != nil {
		need(t, ovmfCode)
	}
	m, err := Start(t.Context(), Spec{
		Name: "empty", Disk: Drive{Path: write(t, "disk.raw", make([]byte, 1<<20))}, Accel: TCG, Firmware: UEFI,
		Network: Network{Kind: Isolated}, SerialLog: filepath.Join(t.TempDir(), "serial.log"), Dir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	_, err = m.WaitFor(ctx, node.LevelConfigured)
	var wait *WaitError
	if !errors.As(err, &wait) || !strings.Contains(err.Error(), "UEFI found nothing to boot on the disk") {
		t.Errorf("got %v", err)
	}
}

// An overlay that is named outlasts the machine, and the next machine goes on with it.
func TestOverlayIsKept(t *testing.T) {
	need(t, qemu, qemuImg)
	for name, programs := range map[string]Programs{"host": {}, "tree": hostAsTree(t)} {
		t.Run(name, func(t *testing.T) {
			overlay := filepath.Join(t.TempDir(), "kept.qcow2")
			s := Spec{Name: "slave1", Programs: programs, Disk: Drive{Path: write(t, "disk.raw", talker())}, Overlay: overlay,
				Accel: TCG, SerialLog: filepath.Join(t.TempDir(), "serial.log"), Dir: t.TempDir()}
			var first os.FileInfo
			for range 2 {
				m, err := Start(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				talk(t, m)
				if err := m.Close(); err != nil && !errors.Is(err, context.Canceled) {
					t.Log(err) // it was killed
				}
				fi, err := os.Stat(overlay)
				if err != nil {
					t.Fatal(err)
				}
				if first != nil && !os.SameFile(first, fi) {
					t.Error("the second machine made another overlay")
				}
				first = fi
			}
			if left, err := filepath.Glob(overlay + ".*"); err != nil || len(left) > 0 {
				t.Errorf("left beside it: %v, %v", left, err)
			}
		})
	}
}

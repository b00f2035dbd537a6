package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// limited puts a file system of so many bytes over dir, seen by forge alone, and returns what resizes
// it. dir and f.store and f.out below it are then named as the test sees them.
func (f *forge) limited(dir, size string) (resize func(size string)) {
	f.t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		f.t.Fatal(err)
	}
	f.namespace(`mount -t tmpfs -o size="$2" tmpfs "$1"`, dir, size)
	enter := append([]string{}, f.wrap...)
	return func(size string) {
		f.t.Helper()
		args := append(enter[1:], "mount", "-o", "remount,size="+size, dir)
		if out, err := exec.Command(enter[0], args...).CombinedOutput(); err != nil {
			f.t.Fatalf("%v: %s", err, out)
		}
	}
}

// TestFullStore builds in a store whose disk has too little space for the tools tree, and again when it
// has more.
func TestFullStore(t *testing.T) {
	const step = "rootfs/tools"
	f := forgeWithout(t, step)
	links := f.store
	f.store = filepath.Join(f.dir, "small", "store")
	resize := f.limited(filepath.Dir(f.store), "20m")
	out, err := exec.Command(f.wrap[0], append(f.wrap[1:], "cp", "-a", links, f.store)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	_, errs, code := f.run("build", "--role", "slave", "--quiet")
	if code != 1 || !strings.HasPrefix(errs, "forge: step "+step+": rootfs: unpack ") || !strings.Contains(errs, "no space left on device") ||
		!strings.HasSuffix(errs, "\nthe disk with the store "+f.store+" is full: free some space, run forge gc, or choose another folder with --store or --out\n") {
		t.Errorf("exit status %d, message %q; want 1 and that the disk with the store is full", code, errs)
	}
	f.expectNoOutput()
	f.seen(func() { f.expectTidy() })

	resize("1g")
	if res := f.build(); res.Ran != 1 {
		t.Errorf("with more space %d steps ran, want %s alone", res.Ran, step)
	} else if diff := cmp.Diff(shared.digests, f.digests(res)); diff != "" {
		t.Errorf("the digests differ from those of an undisturbed build (-want +got):\n%s", diff)
	}
	f.seen(func() { f.expectTidy() })
}

// TestFullOutput has too little space for the disk in the output folder.
func TestFullOutput(t *testing.T) {
	f := builtForge(t)
	resize := f.limited(f.out, "700m")
	_, errs, code := f.run("build", "--role", "slave", "--quiet")
	if code != 1 || !strings.HasPrefix(errs, "forge: place the results in "+f.out+": role slave: slave/disk.qcow2: ") ||
		!strings.HasSuffix(errs, "no space left on device (the disk is full: free some space, run forge gc, or choose another folder with --store or --out)\n") {
		t.Errorf("exit status %d, message %q; want 1 and that the disk is full", code, errs)
	}
	f.seen(func() { f.expectTidy() })
	resize("2g")
	res := f.build()
	f.seen(func() {
		if diff := cmp.Diff(shared.digests, f.digests(res)); diff != "" {
			t.Errorf("the digests differ from those of an undisturbed build (-want +got):\n%s", diff)
		}
		f.expectTidy()
	})
}

// seen calls look while store and output folder are named as this process can open them, through the root of
// a process in forge's mount namespace.
func (f *forge) seen(look func()) {
	store, out, root := f.store, f.out, "/proc/"+f.wrap[2]+"/root"
	f.store, f.out = root+store, root+out
	look()
	f.store, f.out = store, out
}

func (f *forge) expectNoOutput() {
	f.t.Helper()
	if _, err := os.Stat(f.out); !os.IsNotExist(err) {
		f.t.Errorf("there is an output folder: %v", err)
	}
}

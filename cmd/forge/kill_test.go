package main_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/event"
)

// killPoint says when which forge is killed.
type killPoint struct {
	step, phase string
	inner       bool // the one that works in the namespaces, not the one that the user started
}

// TestKill kills forge's own process, and nothing else, again and again while one store goes from
// nothing but downloads to everything. FORGE_SOAK_KILLS=N adds N kills at random events, in as many builds from
// nothing as that takes; FORGE_SOAK_SEED chooses other ones.
func TestKill(t *testing.T) {
	sharedBuild(t)
	f := newForge(t)
	f.flags = []string{"--offline"}
	warmDownloads(t, f.store)
	for _, p := range []killPoint{ // each needs those before it, so that none is passed by an earlier build
		{step: "rootfs/base", phase: "unpack"},
		{step: "rootfs/base", phase: "dpkg configure", inner: true},
		{step: "rootfs/role/slave", phase: "store rename"},
		{step: "disk/slave", phase: "mke2fs"},
		{step: "disk/slave", phase: "qcow2"},
	} {
		t.Logf("killing at %+v", p)
		r := f.start("build", "--role", "slave")
		r.at(p.step, p.phase)
		f.kill(r, p.inner)
	}
	f.expectWhole()

	n, _ := strconv.Atoi(os.Getenv("FORGE_SOAK_KILLS"))
	seed, _ := strconv.ParseUint(os.Getenv("FORGE_SOAK_SEED"), 10, 64)
	random := rand.New(rand.NewPCG(seed, 0))
	for i := 0; i < n; {
		if f.killAtRandom(random) {
			i++
			t.Logf("%d of %d random kills", i, n)
		}
	}
	if n > 0 {
		f.expectWhole()
	}
}

// killAtRandom starts a build and kills it after some events. If it is done before, the next one
// begins from nothing.
func (f *forge) killAtRandom(random *rand.Rand) (killed bool) {
	f.t.Helper()
	after, inner := 1+random.IntN(1500), random.IntN(4) == 0
	r := f.start("build", "--role", "slave")
	if r.reaches(after) {
		f.t.Logf("killing after %d events, inner: %v; the last was %+v", after, inner, r.last())
		f.kill(r, inner)
		return true
	}
	if _, code := r.wait(); code != 0 {
		f.t.Fatalf("exit status %d:\n%s", code, r.messages())
	}
	f.expectWhole()
	for _, dir := range []string{f.store, f.out} {
		if err := os.RemoveAll(dir); err != nil {
			f.t.Fatal(err)
		}
	}
	warmDownloads(f.t, f.store)
	return false
}

// TestKillWhilePlacing kills forge while it puts finished results into the output folder: in the middle of
// the image, then of the disk.
func TestKillWhilePlacing(t *testing.T) {
	f := builtForge(t)
	unfinished := filepath.Join(f.out, ".forge", "tmp", "result")
	for name, there := range map[string]func() bool{
		"image": func() bool { _, err := os.Lstat(filepath.Join(unfinished, "blobs")); return err == nil },
		"disk":  func() bool { fi, err := os.Lstat(unfinished); return err == nil && !fi.IsDir() && fi.Size() > 32<<20 },
	} {
		if err := os.RemoveAll(f.out); err != nil {
			t.Fatal(err)
		}
		r := f.start("build", "--role", "slave")
		for !there() {
			select {
			case <-r.ended:
				t.Fatalf("forge ended and was not seen to place the %s:\n%s", name, r.messages())
			case <-time.After(time.Millisecond):
			}
		}
		f.kill(r, false)
		if diff := cmp.Diff(shared.digests, f.digests(f.build())); diff != "" {
			t.Errorf("killed in the %s: the digests differ from those of an undisturbed build (-want +got):\n%s", name, diff)
		}
		f.expectTidy()
	}
}

// kill kills one process of r and expects that nothing of r is left.
func (f *forge) kill(r *running, inner bool) {
	f.t.Helper()
	pid := r.cmd.Process.Pid
	if inner {
		pid = r.inner()
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		f.t.Fatal(err)
	}
	_, code := r.wait()
	if want := map[bool]int{false: -1, true: 137}[inner]; code != want {
		f.t.Errorf("exit status %d, want %d", code, want)
	}
	f.expectNothingLeft()
}

// expectWhole expects that a plain build ends with what the undisturbed one made.
func (f *forge) expectWhole() {
	f.t.Helper()
	if diff := cmp.Diff(shared.digests, f.digests(f.build())); diff != "" {
		f.t.Errorf("the digests differ from those of an undisturbed build (-want +got):\n%s", diff)
	}
	f.expectTidy()
	f.expectWholeBlobs()
}

// reaches waits until it has emitted n events; false if it ends before.
func (r *running) reaches(n int) bool {
	for {
		r.mu.Lock()
		have, more := len(r.events), r.more
		r.mu.Unlock()
		if have >= n {
			return true
		}
		select {
		case <-more:
		case <-r.ended:
			return false
		}
	}
}

func (r *running) last() event.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[len(r.events)-1]
}

// TestKilledFromWithin sees what a person is told when the kernel kills the forge that works.
func TestKilledFromWithin(t *testing.T) {
	f := forgeWithout(t, "layer/role/slave")
	r := f.start("build", "--role", "slave")
	r.at("layer/role/slave", "store rename")
	f.kill(r, true)
	const want = "forge: killed by signal 9 (killed)"
	if got := r.messages(); len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("message %q, want one that begins with %q", got, want)
	}
	f.expectNoOutput()
}

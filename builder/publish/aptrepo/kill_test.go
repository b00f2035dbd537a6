package aptrepo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// TestUpdateWhilePublishing has clients update without a pause while publications follow each other.
func TestUpdateWhilePublishing(t *testing.T) {
	r := newRepo(t)
	r.must(makeDeb(t, "forge-x", "0", "amd64", "0"))
	url, key := r.serve(), []byte(r.read(keyFile))
	done := make(chan struct{})
	var wait sync.WaitGroup
	updates := make([]atomic.Int64, 2)
	for i, url := range []string{url, "file:" + r.spec.Dir} {
		c := newClient(t, url, "bookworm", key)
		wait.Go(func() {
			for {
				for _, args := range [][]string{{"update"}, {"--download-only", "install", "forge-x"}} {
					if out, err := c.apt(args...); err != nil || strings.Contains(out, "W:") || strings.Contains(out, "E:") {
						t.Errorf("apt-get %s from %s: %v\n%s", strings.Join(args, " "), url, err, out)
						return
					}
				}
				updates[i].Add(1)
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	r.spec.KeepVersions = 2
	last := 0
	for (last < 15 || updates[0].Load() < 3 || updates[1].Load() < 3) && !t.Failed() {
		last++
		r.must(makeDeb(t, "forge-x", fmt.Sprint(last), "amd64", strings.Repeat(fmt.Sprintln(last), last)))
	}
	close(done)
	wait.Wait()
	t.Logf("%d and %d updates during %d publications", updates[0].Load(), updates[1].Load(), last)
	for _, url := range []string{url, "file:" + r.spec.Dir} {
		c := newClient(t, url, "bookworm", key)
		c.must("update")
		c.must("install", "forge-x")
		if got := c.installed("forge-x"); !strings.HasPrefix(got, fmt.Sprintln(last)) {
			t.Errorf("forge-x has %.3q, want version %d", got, last)
		}
	}
}

// TestPublishersExcludeEachOther has two processes and this one add packages at once.
func TestPublishersExcludeEachOther(t *testing.T) {
	r := newRepo(t)
	deb := func(who string, n int) []string { return []string{makeDeb(t, "forge-"+who, fmt.Sprint(n), "all", who)} }
	var running []*exec.Cmd
	for _, who := range []string{"aa", "bb"} {
		cmd := r.process(deb(who, 1), deb(who, 2), deb(who, 3))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
	}
	for n := 1; n <= 3; n++ {
		r.must(deb("cc", n)...)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	if res := r.must(); res.Packages != 9 || res.Publication != 9 {
		t.Errorf("%+v; want 9 packages in 9 publications", res)
	}
	r.gpgv()

	lock := flock.New(filepath.Join(r.spec.Dir, lockName))
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Publish(ctx, r.spec); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "lock the repository") {
		t.Errorf("while another one publishes: error %v", err)
	}
}

// TestKilled kills a publisher at random moments. What was published is whole each time, and what is next is published
// in the end. FORGE_SOAK_KILLS=N adds N kills.
func TestKilled(t *testing.T) {
	r := newRepo(t)
	r.must(makeDeb(t, "forge-x", "0", "all", "0"))
	key := []byte(r.read(keyFile))
	random := rand.New(rand.NewPCG(1, 2))
	more, _ := strconv.Atoi(os.Getenv("FORGE_SOAK_KILLS"))
	kills := 8 + more
	started := time.Now()
	r.must(makeDeb(t, "forge-x", "1", "all", "1"))
	took := time.Since(started) + 50*time.Millisecond // a process starts as well
	last, killed := 1, 0
	for killed < kills {
		next := []string{makeDeb(t, "forge-x", fmt.Sprint(last+1), "all", strings.Repeat("x", 1<<20)), makeDeb(t, "forge-y", fmt.Sprint(last+1), "amd64", "y")}
		cmd := r.process(next)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(random.Int64N(int64(took))), func() { _ = cmd.Process.Kill() })
		if cmd.Wait() != nil {
			killed++
		}
		c := newClient(t, "file:"+r.spec.Dir, "bookworm", key)
		c.must("update")
		out := c.must("--simulate", "install", "forge-x")
		switch before, after := fmt.Sprintf("Inst forge-x (%d ", last), fmt.Sprintf("Inst forge-x (%d ", last+1); {
		case strings.Contains(out, after):
			last++
			c.must("--download-only", "install", "forge-x", "forge-y")
		case !strings.Contains(out, before):
			t.Fatalf("after a kill apt wants neither version %d nor %d:\n%s", last, last+1, out)
		default:
			c.must("--download-only", "install", "forge-x")
			if random.IntN(2) == 0 { // the same again, or something else in its place
				r.must(next...)
				last++
			}
		}
		r.gpgv()
	}
	r.must(makeDeb(t, "forge-x", fmt.Sprint(last+1), "all", "the end"))
	c := newClient(t, "file:"+r.spec.Dir, "bookworm", key)
	c.must("update")
	c.must("install", "forge-x")
	if got := c.installed("forge-x"); got != "the end" {
		t.Errorf("forge-x has %.10q", got)
	}
	if left, err := filepath.Glob(filepath.Join(r.spec.Dir, tempName, "*")); err != nil || left != nil {
		t.Errorf("left behind: %v %v", left, err)
	}
	for _, line := range strings.Split(r.listing(), "\n") { // a package that is in no index is gone
		if name, _, _ := strings.Cut(filepath.Base(line), " "); strings.HasPrefix(line, "pool/") && !strings.Contains(r.read("main/binary-amd64/Packages"), name) {
			t.Errorf("%s is in the pool and in no index", name)
		}
	}
}

// fullDisk publishes $2, then $3 on a disk that has a little more space each time, until that succeeds. After each
// failure the files must be those from before.
const fullDisk = `set -e
repo=$1; sums() { (cd "$repo" && find . -type f -o -type l | sort && find . -type f | sort | xargs sha256sum); }
mount -t tmpfs -o size=1m tmpfs "$repo"
` + publisherEnv + `=$2 "$4"
sums >"$5.before"
size=$((1 + $(df --output=used --block-size=1k "$repo" | tail -n 1)))
for i in $(seq 200); do
	size=$((size + 12))
	mount -o remount,size=${size}k "$repo"
	if ` + publisherEnv + `=$3 "$4"; then echo "published after $((i - 1)) failures"; cp -a "$repo" "$5"; exit; fi
	sums | diff "$5.before" -
done`

// TestFullDisk has the disk be full at each point of a publication.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		missing(t, "root, who mounts a small disk")
	}
	need(t, "unshare")
	r := newRepo(t)
	if err := os.MkdirAll(r.spec.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	out, err := exec.Command("unshare", "--mount", "sh", "-c", fullDisk, "sh", r.spec.Dir, r.job([]string{makeDeb(t, "forge-x", "1", "all", "1")}),
		r.job([]string{makeDeb(t, "forge-x", "2", "all", noise(48<<10))}), self, copied).CombinedOutput()
	full := strings.Count(string(out), "the disk with the repository "+r.spec.Dir+" is full: nothing was published, and what is there stays as it was; free some space")
	if err != nil || full < 5 || !strings.Contains(string(out), fmt.Sprintf("published after %d failures", full)) {
		t.Errorf("%v, %d times full:\n%s", err, full, out)
	}
	r.spec.Dir = copied
	if res := r.must(); res.Publication != 2 || res.Packages != 2 || res.Changed {
		t.Errorf("in the end: %+v", res)
	}
	r.gpgv()
}

// noise does not compress.
func noise(n int) string {
	b, random := make([]byte, n), rand.NewChaCha8([32]byte{})
	_, _ = random.Read(b)
	return string(b)
}

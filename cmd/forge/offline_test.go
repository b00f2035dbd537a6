package main_test

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mesos-forge/forge/builder/bundle"
)

// withoutNetwork makes forge run in a network namespace that has lo and nothing else, with an empty home and
// nothing of the environment but PATH and env, on a machine that lacks the programs which fetch things.
func (f *forge) withoutNetwork(env ...string) {
	f.t.Helper()
	for _, program := range []string{"unshare", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(f.t, err.Error())
		}
	}
	home := filepath.Join(f.dir, "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		f.t.Fatal(err)
	}
	const script = `set -e
		ip link set lo up
		for name in mvn pip3 git apt-get apt-config; do
			path=$(command -v $name) && mount --bind /dev/null "$path"
		done
		exec "$@"`
	f.wrap = append([]string{"unshare", "--net", "--mount", "sh", "-c", script, "sh", "env", "-i", "PATH=" + os.Getenv("PATH"), "HOME=" + home}, env...)
	look := append(slices.Clone(f.wrap), "sh", "-c", `! mvn --version 2>/dev/null && ip -oneline link show up && ip route`)
	if out, err := exec.Command(look[0], look[1:]...).CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "1: lo:") || bytes.Count(out, []byte("\n")) != 1 {
		f.t.Fatalf("the namespace has not lo alone: %v\n%s", err, out)
	}
}

// buildCache is a setting by which go keeps what it compiled where the test's own go does. It saves minutes, and
// go compiles nothing whose sources it can't read.
func buildCache(t *testing.T) string {
	t.Helper()
	dir, err := exec.Command("go", "env", "GOCACHE").Output()
	cache := t.TempDir()
	if err == nil {
		err = os.Symlink(strings.TrimSpace(string(dir)), filepath.Join(cache, "go-build"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return "XDG_CACHE_HOME=" + cache
}

// vendored writes a bundle by the lock of a build's role.
func (f *forge) vendored(path, lock string, flags ...string) bundle.Written {
	f.t.Helper()
	out, errs, code := f.run(append([]string{"vendor", path, "--role", "slave", "--output", "json", "--lock", filepath.Join(f.out, lock)}, flags...)...)
	var w bundle.Written
	if err := json.Unmarshal([]byte(out), &w); err != nil || code != 0 {
		f.t.Fatalf("forge vendor: exit status %d, %v\n%s", code, err, errs)
	}
	return w
}

// sums reads the sums of what lies in the output folder.
func (f *forge) sums() string {
	f.t.Helper()
	b, err := os.ReadFile(filepath.Join(f.out, "SHA256SUMS"))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b)
}

// TestOfflinePackages builds packages on a machine without a network from a bundle, with an operator's package
// that is nowhere else, and gets what the build that the bundle was made of got.
func TestOfflinePackages(t *testing.T) {
	f := builtForge(t)
	name, raw := mesosDeb(t, f.checkout)
	if err := os.Mkdir(f.vendor, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.vendor, name), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	lock := f.build("--only", "packages").Roles[0].Lock

	file, again, folder := filepath.Join(f.dir, "slave.tar"), filepath.Join(f.dir, "again.tar"), filepath.Join(f.dir, "folder")+"/"
	first := f.vendored(file, lock, "--only", "packages")
	if second := f.vendored(again, lock, "--only", "packages"); second.Digest != first.Digest {
		t.Errorf("the same store and lock gave the bundles %s and %s", first.Digest, second.Digest)
	}
	if w := f.vendored(folder, lock, "--only", "packages"); w.Kept != 0 {
		t.Errorf("a new folder had %d files already", w.Kept)
	}

	g := newForge(t)
	g.withoutNetwork(buildCache(t))
	if out, errs, code := g.run("build", "--bundle", file, "--only", "packages"); code != 0 {
		t.Fatalf("without a network: exit status %d\n%s%s", code, errs, out)
	}
	if g.sums() != f.sums() {
		t.Errorf("without a network the results are\n%swant\n%s", g.sums(), f.sums())
	}
	if out, errs, code := g.run("build", "--bundle", folder, "--only", "packages", "--progress", "plain"); code != 0 || strings.Contains(errs, "\nstart deb/") {
		t.Errorf("the same from the folder: exit status %d, want nothing to do\n%s%s", code, errs, out)
	}

	const packages = " --only packages"
	g.refuses("build --role slave --bundle "+file, "bundle "+file+" was made with --only packages: build with that as well")
	g.refuses("build --role master --bundle "+file+packages, "bundle "+file+" is of the roles slave, and master is not among them", "forge vendor --role master")
	g.refuses("build --stack bookworm-ha --bundle "+file, "bundle "+file+" is of the stack bookworm, not of bookworm-ha", "forge vendor --stack bookworm-ha")
	g.edit("recipes/bookworm/forge.lock", `(?m)^(.*name: hadoop/asm,.*sha256: ")[0-9a-f]{4}`, "${1}0000")
	g.refuses("build --locked --bundle "+file+packages, "the bundle "+file+" has not got artifact hadoop/asm 3.1, which ", "forge.lock names: it was made of another lock")
	if err := os.Truncate(again, first.Size-2000); err != nil {
		t.Fatal(err)
	}
	g.refuses("build --bundle "+again+packages, "bundle "+again+": it is cut off: copy it again")
	f.full(lock)
}

// full writes a bundle on a disk that is too small for it.
func (f *forge) full(lock string) {
	f.t.Helper()
	small := filepath.Join(f.dir, "small")
	f.limited(small, "8m")
	f.refuses("vendor "+filepath.Join(small, "slave.tar")+" --role slave --only packages --lock "+filepath.Join(f.out, lock),
		"bundle "+filepath.Join(small, "slave.tar")+": ", "the disk is full: free some space, or name another place for the bundle")
	out, err := exec.Command(f.wrap[0], append(f.wrap[1:], "ls", "-A", small)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		f.t.Errorf("it left %q, %v", out, err)
	}
}

// TestOfflineAsksNobody: what --offline has not got it names, with what to do, and it tries no network: nothing
// comes to the proxy that all clients are told of.
func TestOfflineAsksNobody(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var came atomic.Int64
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			c.Close()
		}
	}()
	defer listener.Close()
	f := newForge(t)
	proxy := "http://" + listener.Addr().String()
	f.wrap = []string{"env", "-i", "PATH=" + os.Getenv("PATH"), "HOME=" + f.dir, buildCache(t), "http_proxy=" + proxy, "https_proxy=" + proxy,
		"HTTPS_PROXY=" + proxy, "HTTP_PROXY=" + proxy, "ALL_PROXY=" + proxy, "PIP_INDEX_URL=" + proxy, "GOPROXY=" + proxy}
	const hint = "run forge vendor where there is a network"
	f.refuses("build --offline --only packages --role slave --jobs 1", hint)
	f.refuses("build --offline --role slave --jobs 1", hint)
	f.refuses("build --offline --locked --role slave --jobs 1", hint)
	if n := came.Load(); n > 0 {
		t.Errorf("%d connections came", n)
	}
}

package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tree makes a root directory whose /usr is the host's, shown by a bind.
func tree(t *testing.T) (root string, usr Bind) {
	t.Helper()
	root = openDir(t)
	for _, d := range []string{"usr", "proc", "sys", "dev", "run", "tmp", "etc"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	return root, Bind{Source: "/usr", Target: "/usr", ReadOnly: true}
}

// sh runs a script in a fresh tree and returns its standard output.
func sh(t *testing.T, script string, change func(*Spec)) (string, error) {
	t.Helper()
	root, usr := tree(t)
	var out bytes.Buffer
	s := Spec{Root: root, Args: []string{"sh", "-c", script}, Binds: []Bind{usr}, Stdout: &out}
	if change != nil {
		change(&s)
	}
	err := Run(t.Context(), s)
	return out.String(), err
}

func TestRunInRoot(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"environment is complete and fixed", "env | sort", "HOME=/root\nLC_ALL=C.UTF-8\n" +
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/\nSOURCE_DATE_EPOCH=0\nTZ=UTC\n"},
		{"dev", "cd /dev; echo *; echo x >null; head -c 3 zero | wc -c; readlink fd ptmx",
			"fd full null ptmx pts random shm stderr stdin stdout tty urandom zero\n3\n/proc/self/fd\npts/ptmx\n"},
		{"own process table", "set -- /proc/[0-9]*; echo $#", "2\n"},
		{"no network but loopback", "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '", "lo\n"},
		{"run and tmp are empty and writable", "ls -A /run /tmp; touch /run/a /tmp/b && echo ok", "/run:\n\n/tmp:\nok\n"},
		{"sys and usr are read-only", "touch /sys/x /usr/x 2>/dev/null || echo refused", "refused\n"},
		{"host name", "cat /proc/sys/kernel/hostname", "localhost\n"},
		{"the host's files are gone", "ls /work /root /home 2>/dev/null; echo $?", "2\n"},
		{"umask", "umask", "0022\n"},
		{"no device nodes, as in a user namespace", "mknod /run/n c 1 3 2>/dev/null || echo refused", "refused\n"},
		{"orphans do not stay", "(sleep 1000 &) ; echo done", "done\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := sh(t, c.script, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSyncIsIgnored calls fsync on a bad file descriptor: only a filtered call succeeds.
func TestSyncIsIgnored(t *testing.T) {
	const script = `perl -e 'print syscall(qx(uname -m) =~ /x86_64/ ? 74 : 82, 9999), "\n"'`
	for keep, want := range map[bool]string{false: "0\n", true: "-1\n"} {
		got, err := sh(t, script, func(s *Spec) { s.KeepSync = keep })
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("KeepSync=%v: fsync(9999) = %q, want %q", keep, got, want)
		}
	}
}

func TestRunErrors(t *testing.T) {
	_, err := sh(t, "echo no such thing >&2; exit 3", nil)
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 3 || exit.Tail != "no such thing\n" {
		t.Errorf("err = %v, want exit status 3 with the message", err)
	}
	_, err = sh(t, "kill -9 $$", nil)
	if !errors.As(err, &exit) || exit.Code != 137 {
		t.Errorf("err = %v, want 137", err)
	}
	_, err = sh(t, "", func(s *Spec) { s.Args = []string{"no-such-program"} })
	if err == nil || !strings.Contains(err.Error(), "no-such-program: executable file not found") {
		t.Errorf("err = %v, want the program named", err)
	}
	_, err = sh(t, "", func(s *Spec) { s.Binds = append(s.Binds, Bind{Source: "/etc", Target: "/opt/x"}) })
	if err == nil || !strings.Contains(err.Error(), "mount point /opt/x in the tree: does not exist") {
		t.Errorf("err = %v, want the mount point named", err)
	}
	err = Run(t.Context(), Spec{Root: "/no/such/dir", Args: []string{"true"}})
	if err == nil || !strings.Contains(err.Error(), "/no/such/dir") {
		t.Errorf("err = %v, want the root named", err)
	}
}

// TestLinksCannotReachTheHost makes /dev of the tree a link to a directory of the host.
func TestLinksCannotReachTheHost(t *testing.T) {
	victim := openDir(t)
	root, usr := tree(t)
	if err := os.Remove(filepath.Join(root, "dev")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(root, "dev")); err != nil {
		t.Fatal(err)
	}
	err := Run(t.Context(), Spec{Root: root, Args: []string{"true"}, Binds: []Bind{usr}})
	if err == nil {
		t.Error("no error although /dev points nowhere in the tree")
	}
	if left, err := os.ReadDir(victim); err != nil || len(left) > 0 {
		t.Errorf("the host's directory was touched: %v %v", left, err)
	}
}

func TestBindsAndStreams(t *testing.T) {
	dir := openDir(t)
	if err := os.WriteFile(filepath.Join(dir, "in"), []byte("from the host\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var both bytes.Buffer
	_, err := sh(t, "cat /run/x/in; cat; echo err >&2; echo out; touch /run/x/made", func(s *Spec) {
		s.Binds = append(s.Binds, Bind{Source: dir, Target: "/run/x"})
		s.Stdin = strings.NewReader("from stdin\n")
		s.Stdout, s.Stderr = &both, &both
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "from the host\nfrom stdin\nerr\nout\n"; both.String() != want {
		t.Errorf("output %q, want %q", both.String(), want)
	}
	if _, err := os.Stat(filepath.Join(dir, "made")); err != nil {
		t.Errorf("writing through a bind: %v", err)
	}
}

func TestCancelKillsAll(t *testing.T) {
	for _, inRoot := range []bool{true, false} {
		t.Run(fmt.Sprintf("in root %v", inRoot), func(t *testing.T) {
			root, usr := tree(t)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			s := Spec{Args: []string{"sh", "-c", "sleep 1000 & echo started; wait"}, Stdout: w}
			if inRoot {
				s.Root, s.Binds = root, []Bind{usr}
			}
			go func() {
				_, _ = r.Read(make([]byte, 100))
				cancel()
			}()
			err = Run(ctx, s)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("err = %v, want context.Canceled", err)
			}
			w.Close()
			_ = r.SetReadDeadline(time.Now().Add(5 * time.Second))
			if _, err := io.ReadAll(r); err != nil {
				t.Errorf("a child still holds the output: %v", err)
			}
		})
	}
}

func TestRunOnHost(t *testing.T) {
	t.Setenv("FORGE_LEAK", "1")
	var out bytes.Buffer
	err := Run(t.Context(), Spec{Args: []string{"sh", "-c", "echo $A $FORGE_LEAK; pwd"}, Env: []string{"A=b"}, Dir: "/usr", Stdout: &out})
	if err != nil || out.String() != "b\n/usr\n" {
		t.Errorf("output %q, err %v", out.String(), err)
	}
	err = Run(t.Context(), Spec{Args: []string{"sh", "-c", "i=0; while [ $i -lt 2000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1"}})
	var exit *ExitError
	if !errors.As(err, &exit) || !strings.HasSuffix(exit.Tail, "line 1999\n") || len(exit.Tail) > tailSize+3 {
		t.Errorf("err = %.100v, want the end of the output", err)
	}
}

func TestSubIDs(t *testing.T) {
	for in, want := range map[string]int{
		"":                               0,
		"other:1:65536\n":                0,
		"me:100000:65536\n":              65536,
		"1000:5:7\nme:100000:65536\n":    7,
		"# comment\n\n me:1:2 \n":        2,
		"me:1\nme:1:3:4\nme:100:70000\n": 70000,
	} {
		got, err := subIDs(strings.NewReader(in), "me", "1000")
		if err != nil || got != want {
			t.Errorf("subIDs(%q) = %d, %v, want %d", in, got, err, want)
		}
	}
	if _, err := subIDs(strings.NewReader("me:1:many\n"), "me", "1"); err == nil {
		t.Error("no error for a count that is no number")
	}
}

func TestDoctorFindsThisHostFit(t *testing.T) {
	found := Doctor(t.Context())
	if i := slices.IndexFunc(found, func(f Finding) bool { return !f.OK }); i >= 0 {
		t.Errorf("not fit: %+v", found[i])
	}
	if len(found) < 3 {
		t.Errorf("%d findings, want kernel, overlayfs and namespaces", len(found))
	}
}

package apt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/sandbox"
)

// helperProgram is apt's own tool for scripts; it has no place in PATH.
const helperProgram = "/usr/lib/apt/apt-helper"

// Client runs apt. The zero value works: host's programs, caller's settings.
type Client struct {
	// Run runs a program of the host; nil is sandbox.Run.
	Run func(ctx context.Context, s sandbox.Spec) error
	// Env is what apt's settings are read in (APT_CONFIG, proxies); nil is sandbox.UserEnv().
	Env []string
	// Temp is where private roots are made; empty is the system's temporary folder.
	Temp string
	// Sink hears about progress; nil is nobody.
	Sink event.Sink
}

func (c *Client) emit(e event.Event) {
	if c.Sink != nil {
		c.Sink.Emit(e)
	}
}

// run runs a program, with config (a file) in place of the user's apt configuration unless it is
// empty, and returns its standard output.
func (c *Client) run(ctx context.Context, config string, args ...string) (string, error) {
	var out bytes.Buffer
	err := c.start(ctx, config, sandbox.Spec{Args: args, Stdout: &limited{buf: &out, left: maxOutput}})
	return out.String(), err
}

// start fills in the environment of s and runs it.
func (c *Client) start(ctx context.Context, config string, s sandbox.Spec) error {
	run, env := c.Run, c.Env
	if run == nil {
		run = sandbox.Run
	}
	if env == nil {
		env = sandbox.UserEnv()
	}
	env = slices.Clone(env)
	if config != "" {
		env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "APT_CONFIG=") })
		env = append(env, "APT_CONFIG="+config)
	}
	s.Env = append(env, "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
	s.Dir = "/"
	return run(ctx, s)
}

// maxOutput bounds what is kept of a program's standard output, in bytes: some 300 bytes for
// each of 100,000 packages.
const maxOutput = 32 << 20

// limited is a writer that fails when too much is written.
type limited struct {
	buf  *bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, fmt.Errorf("more than %d bytes of output", maxOutput)
	}
	return l.buf.Write(p)
}

// explain makes an error of what apt said: its own E: and W: lines, without the command line
// that nobody can repeat since its root is gone.
func explain(what, stdout string, err error) error {
	var exit *sandbox.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("apt: %s: %w", what, err)
	}
	var lines []string
	if i := strings.Index(stdout, "The following packages have unmet dependencies:"); i >= 0 {
		text, _, _ := strings.Cut(stdout[i:], "\n\n")
		lines = append(lines, strings.TrimSpace(text))
	}
	for l := range strings.Lines(exit.Tail) {
		if l = strings.TrimRight(l, "\n"); strings.HasPrefix(l, "E: ") || strings.HasPrefix(l, "W: ") || strings.HasPrefix(l, "  ") {
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 {
		lines = append(lines, strings.TrimSpace(exit.Tail))
	}
	return &Error{What: what, Explanation: strings.Join(lines, "\n"), Err: err}
}

// Error is apt's refusal, in its own words.
type Error struct {
	What        string // what was asked of it, with a name: "update bookworm"
	Explanation string // its messages, one a line
	Hint        string // what to do; may be empty
	Err         error
}

func (e *Error) Error() string {
	s := "apt: " + e.What + ":\n" + e.Explanation
	if e.Hint != "" {
		s += "\n" + e.Hint
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// root is a private apt root: a folder with a configuration that keeps apt inside it.
type root struct {
	dir    string
	config string // path of its apt.conf
}

func (r *root) remove() { _ = os.RemoveAll(r.dir) }

// rootSpec says what a private root looks like.
type rootSpec struct {
	arch    string
	lists   string // folder of the list files; empty: one in the root
	status  string // dpkg's status file; empty: no package is installed
	sources string // text of sources.list
	prefer  string // text of preferences (apt_preferences(5))
	acquire string // the user's settings for fetching, see userAcquire
}

func (c *Client) newRoot(s rootSpec) (*root, error) {
	dir, err := os.MkdirTemp(c.Temp, "apt-")
	if err != nil {
		return nil, fmt.Errorf("apt: private root: %w", err)
	}
	r := &root{dir: dir, config: filepath.Join(dir, "apt.conf")}
	if err := r.fill(s); err != nil {
		r.remove()
		return nil, fmt.Errorf("apt: private root: %w", err)
	}
	return r, nil
}

func (r *root) fill(s rootSpec) error {
	in := func(name string) string { return filepath.Join(r.dir, name) }
	if s.lists == "" {
		s.lists = in("lists")
	}
	if s.status == "" {
		s.status = in("status")
		if err := os.WriteFile(s.status, nil, 0o644); err != nil {
			return err
		}
	}
	for _, p := range []string{s.lists, s.status} {
		if !filepath.IsAbs(p) {
			return fmt.Errorf("%q is not an absolute path", p)
		}
	}
	for _, sub := range []string{"empty", "cache/archives/partial", "lists/partial"} {
		if err := os.MkdirAll(in(sub), 0o755); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{"sources.list": s.sources, "preferences": s.prefer} {
		if err := os.WriteFile(in(name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(r.config, []byte(r.configText(s)), 0o600)
}

// configText is the whole configuration. apt reads the file in APT_CONFIG first, so naming
// no other file here means that no other file is read.
func (r *root) configText(s rootSpec) string {
	in := func(name string) string { return filepath.Join(r.dir, name) }
	set := []struct{ key, value string }{
		{"Dir::Etc", in("empty")},
		{"Dir::Etc::main", "/dev/null"},
		{"Dir::Etc::parts", "/dev/null"},
		{"Dir::Etc::sourcelist", in("sources.list")},
		{"Dir::Etc::sourceparts", "/dev/null"},
		{"Dir::Etc::trusted", "/dev/null"},
		{"Dir::Etc::trustedparts", in("empty")},
		{"Dir::Etc::preferences", in("preferences")},
		{"Dir::Etc::preferencesparts", in("empty")},
		{"Dir::State", r.dir},
		{"Dir::State::lists", s.lists},
		{"Dir::State::status", s.status},
		{"Dir::State::extended_states", in("extended_states")},
		{"Dir::Cache", in("cache")},
		{"Dir::Cache::pkgcache", ""},
		{"Dir::Cache::srcpkgcache", ""},
		{"Dir::Log", r.dir},
		{"Dir::Log::Planner", ""},
		{"APT::Architecture", s.arch},
		{"APT::Architectures", s.arch},
		{"APT::Install-Recommends", "false"},
		{"APT::Install-Suggests", "false"},
		{"APT::Get::AutomaticRemove", "false"},
		// apt must not take itself for essential: a base image may do without.
		{"pkgCacheGen::ForceEssential", ","},
		// The uids of apt's own sandbox are not ours to use (nor there, rootless).
		{"APT::Sandbox::User", "root"},
		// A list that can't be fetched is an error, not a warning.
		{"APT::Update::Error-Mode", "any"},
		{"Acquire::Languages", "none"},
		// Plain lists are what a solve reads fastest.
		{"Acquire::GzipIndexes", "false"},
	}
	var b strings.Builder
	b.WriteString(s.acquire)
	for _, kv := range set {
		fmt.Fprintf(&b, "%s %q;\n", kv.key, kv.value)
	}
	// Whatever the user's configuration says: nothing unsigned.
	for _, key := range []string{"AllowInsecureRepositories", "AllowWeakRepositories", "AllowDowngradeToInsecureRepositories"} {
		fmt.Fprintf(&b, "Acquire::%s \"false\";\n", key)
	}
	return b.String()
}

// userAcquire returns the user's own settings for fetching as configuration text: Acquire::*
// without what would change which lists are fetched or whether they are checked, and the files
// with credentials (apt_auth.conf(5)).
func (c *Client) userAcquire(ctx context.Context) (string, error) {
	dump, err := c.run(ctx, "", "apt-config", "dump")
	if err != nil {
		return "", fmt.Errorf("apt: read the configuration: %w", err)
	}
	var b strings.Builder
	for l := range strings.Lines(dump) {
		key, _, _ := strings.Cut(l, " ")
		rest, ok := strings.CutPrefix(key, "Acquire::")
		if !ok || strings.HasSuffix(strings.TrimSpace(l), ` "";`) {
			continue
		}
		switch group, _, _ := strings.Cut(rest, "::"); group {
		case "IndexTargets", "Changelogs", "Languages", "GzipIndexes", "CompressionTypes":
		default:
			b.WriteString(l)
		}
	}
	paths, err := c.configPaths(ctx, "Dir::Etc::netrc/f", "Dir::Etc::netrcparts/d")
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "Dir::Etc::netrc %q;\nDir::Etc::netrcparts %q;\n", paths[0], paths[1])
	return b.String(), nil
}

// configPaths returns the files (/f) and folders (/d) that keys of the user's configuration name.
func (c *Client) configPaths(ctx context.Context, keys ...string) ([]string, error) {
	out := make([]string, len(keys))
	for i, key := range keys {
		s, err := c.run(ctx, "", "apt-config", "shell", "V", key)
		if err != nil {
			return nil, fmt.Errorf("apt: read the configuration: %w", err)
		}
		out[i] = strings.Trim(strings.TrimPrefix(strings.TrimSpace(s), "V="), "'")
	}
	return out, nil
}

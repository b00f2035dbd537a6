package maven

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/sandbox"
)

// spec is the run of mvn on dir, which it sees as inside.
func (c *Client) spec(dir, inside string) (sandbox.Spec, error) {
	env := c.Env
	if env == nil {
		env = sandbox.UserEnv()
	}
	program := c.Program
	if program == "" {
		program = "mvn"
	}
	s := sandbox.Spec{
		Root: c.Root,
		// -U: what a repository had not got yesterday it may have now.
		Args:    append([]string{program, "-B", "-q", "-ntp", "-U", "-f", inside + "/pom.xml"}, append(slices.Clone(c.Args), goal)...),
		Env:     append(slices.Clone(env), "LC_ALL=C.UTF-8"),
		Dir:     inside,
		Network: true,
	}
	if c.Root == "" {
		return s, nil
	}
	home := c.Home
	if home == "" {
		home = os.Getenv("HOME")
	}
	m2 := filepath.Join(home, ".m2")
	if err := os.MkdirAll(m2, 0o755); err != nil {
		return s, fmt.Errorf("maven: the user's local repository: %w", err)
	}
	const insideHome = "/tmp/home"
	s.Binds = []sandbox.Bind{{Source: dir, Target: inside}, {Source: m2, Target: insideHome + "/.m2"}}
	for _, f := range []string{"/etc/resolv.conf", "/etc/hosts"} {
		if in(c.Root, f) && in("/", f) {
			s.Binds = append(s.Binds, sandbox.Bind{Source: f, Target: f, ReadOnly: true})
		}
	}
	// Java takes the home from passwd, not from HOME; the host's JAVA_HOME is not in the tree.
	opts := "-Duser.home=" + insideHome
	s.Env = slices.DeleteFunc(s.Env, func(kv string) bool {
		if v, ok := strings.CutPrefix(kv, "MAVEN_OPTS="); ok {
			opts = v + " " + opts
			return true
		}
		return strings.HasPrefix(kv, "JAVA_HOME=") || strings.HasPrefix(kv, "HOME=")
	})
	s.Env = append(s.Env, "HOME="+insideHome, "MAVEN_OPTS="+opts)
	return s, nil
}

// in tells whether a tree has a regular file at an absolute path.
func in(root, name string) bool {
	r, err := os.OpenRoot(root)
	if err != nil {
		return false
	}
	defer r.Close()
	info, err := r.Stat(strings.TrimPrefix(name, "/"))
	return err == nil && info.Mode().IsRegular()
}

// output keeps the last part of what mvn prints: with -q, its errors.
type output struct{ text []byte }

const maxOutput = 256 << 10 // bytes

func (o *output) Write(p []byte) (int, error) {
	o.text = append(o.text, p...)
	if over := len(o.text) - maxOutput; over > 0 {
		o.text = o.text[over:]
	}
	return len(p), nil
}

// What Maven 3 says, at first and when it remembers an earlier answer.
var absentRE = regexp.MustCompile(`Could not find artifact (\S+:\S+:\S+:\S+)|(\S+:\S+:\S+:\S+) was not found in `)

// absent returns the id of the artifact that no repository has, if that is why mvn failed.
func (o *output) absent() string {
	m := absentRE.FindSubmatch(o.text)
	if m == nil {
		return ""
	}
	return string(m[1]) + string(m[2])
}

// explain makes an error of mvn's first error line, which is the one that says why.
func (o *output) explain(err error, exit *sandbox.ExitError) error {
	hint := ""
	for l := range strings.Lines(string(o.text)) {
		l, ok := strings.CutPrefix(strings.TrimSpace(l), "[ERROR] ")
		if !ok || l == "" {
			continue
		}
		for _, sign := range []string{"Unknown host", "Name or service not known", "Connection refused", "Connect to", "timed out", "Network is unreachable", "Temporary failure"} {
			if strings.Contains(l, sign) {
				hint = "\nmvn can't reach its repository: check the network, and mirrors and proxies in ~/.m2/settings.xml; or build with --offline from a bundle of forge vendor."
			}
		}
		l, _, _ = strings.Cut(l, " -> [Help")
		return fmt.Errorf("maven: %s%s (%w)", l, hint, shortError{exit})
	}
	return fmt.Errorf("maven: %s: %w", strings.TrimSpace(string(o.text)), err)
}

// shortError says how mvn ended without its whole command line.
type shortError struct{ *sandbox.ExitError }

func (e shortError) Error() string { return fmt.Sprintf("mvn: exit status %d", e.Code) }

// Unwrap returns the full error.
func (e shortError) Unwrap() error { return e.ExitError }

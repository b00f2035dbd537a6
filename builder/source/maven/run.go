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
	// A short run: compiling little and collecting with one thread halves its time. The user's options
	// come later and win.
	opts := "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
	env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		v, ok := strings.CutPrefix(kv, "MAVEN_OPTS=")
		if ok {
			opts += " " + v
		}
		return ok
	})
	s := sandbox.Spec{
		Root: c.Root,
		// -U: what a repository had not got yesterday it may have now.
		Args:    append([]string{program, "-B", "-q", "-ntp", "-U", "-f", inside + "/pom.xml"}, append(slices.Clone(c.Args), goal)...),
		Env:     append(env, "LC_ALL=C.UTF-8"),
		Dir:     inside,
		Network: true,
	}
	if c.Root == "" {
		opts = homeOption(env) + opts
	} else {
		more, err := c.enter(&s, dir, inside)
		if err != nil {
			return s, fmt.Errorf("maven: %w", err)
		}
		opts += " " + more
	}
	s.Env = append(s.Env, "MAVEN_OPTS="+opts)
	return s, nil
}

// homeOption tells Java the user's home. It would take it from passwd, by the uid, which is root's in a
// user namespace. mvn splits its options at blanks, whatever their quotes.
func homeOption(env []string) string {
	for _, kv := range env {
		if home, ok := strings.CutPrefix(kv, "HOME="); ok && home != "" && !strings.ContainsAny(home, " \t\n*?[") {
			return "-Duser.home=" + home + " "
		}
	}
	return ""
}

// enter shows to mvn in a tree what it needs of the host: the work folder, the user's settings and
// local repository, how names are looked up, and the authorities that the host trusts. It returns
// options for Java.
func (c *Client) enter(s *sandbox.Spec, dir, inside string) (opts string, err error) {
	home := c.Home
	if home == "" {
		home = os.Getenv("HOME")
	}
	m2 := filepath.Join(home, ".m2")
	if err := os.MkdirAll(m2, 0o755); err != nil {
		return "", fmt.Errorf("the user's local repository: %w", err)
	}
	s.Binds = []sandbox.Bind{{Source: dir, Target: inside}, {Source: m2, Target: insideHome + "/.m2"}}
	for _, f := range []string{"/etc/resolv.conf", "/etc/hosts"} {
		if in(c.Root, f) && in("/", f) {
			s.Binds = append(s.Binds, sandbox.Bind{Source: f, Target: f, ReadOnly: true})
		}
	}
	opts = "-Duser.home=" + insideHome // Java takes it from passwd, not from HOME
	trusted, err := writeTrustStore(bundle(s.Env), filepath.Join(dir, "authorities.jks"))
	if err != nil {
		return "", fmt.Errorf("authorities of the host: %w", err)
	}
	if trusted {
		opts += fmt.Sprintf(" -Djavax.net.ssl.trustStore=%s/authorities.jks -Djavax.net.ssl.trustStoreType=JKS -Djavax.net.ssl.trustStorePassword=%s", inside, storePassword)
	}
	s.Env = slices.DeleteFunc(s.Env, func(kv string) bool { // of the host
		return strings.HasPrefix(kv, "JAVA_HOME=") || strings.HasPrefix(kv, "HOME=")
	})
	s.Env = append(s.Env, "HOME="+insideHome)
	return opts, nil
}

// insideHome is the user's home as mvn in a tree sees it.
const insideHome = "/tmp/home"

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

// offline are words by which mvn says that it did not reach a repository.
var offline = []string{
	"Unknown host", "UnknownHost", "Name or service not known", "Temporary failure in name resolution", "Connection refused",
	"Connect to", "timed out", "Network is unreachable",
}

// colours are what mvn's libraries print around its first line, -B or not.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// explain makes an error of mvn's first block of error lines, which is the one that says why.
func (o *output) explain(err error, exit *sandbox.ExitError) error {
	var lines []string
	for l := range strings.Lines(colours.ReplaceAllString(string(o.text), "")) {
		l, ok := strings.CutPrefix(strings.TrimRight(l, " \r\n"), "[ERROR]")
		if !ok {
			continue
		}
		l, _, help := strings.Cut(strings.TrimSpace(l), " -> [Help")
		if l != "" {
			lines = append(lines, l)
		}
		if help || l == "" && len(lines) > 0 || len(lines) == 8 {
			break
		}
	}
	if len(lines) == 0 {
		return fmt.Errorf("maven: %s: %w", strings.TrimSpace(string(o.text)), err)
	}
	text, hint := strings.Join(lines, "\n"), ""
	if slices.ContainsFunc(offline, func(sign string) bool { return strings.Contains(text, sign) }) {
		hint = "\nmvn can't reach its repository: check the network, and mirrors and proxies in ~/.m2/settings.xml; or build with --offline from a bundle of forge vendor."
	}
	return fmt.Errorf("maven: %s%s (%w)", text, hint, shortError{exit})
}

// shortError says how mvn ended without its whole command line.
type shortError struct{ *sandbox.ExitError }

func (e shortError) Error() string { return fmt.Sprintf("mvn: exit status %d", e.Code) }

// Unwrap returns the full error.
func (e shortError) Unwrap() error { return e.ExitError }

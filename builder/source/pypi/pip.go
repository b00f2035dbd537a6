package pypi

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"

	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/source/http"
)

// settings are those of pip that say where archives come from.
type settings struct {
	pages   []string // URLs of pages, or folders, whose links are archives of any project
	indexes []string // URLs of indexes, in their order
	proxy   string   // URL
	cert    string   // file with certificates
}

// maxSettings bounds what pip prints, in bytes.
const maxSettings = 1 << 20

// read asks pip for its settings, and for its own index where they name none. Neither needs the
// network.
func (c *Client) read(ctx context.Context) (settings, error) {
	list, err := c.pip(ctx, "config", "list")
	if err != nil {
		return settings{}, err
	}
	values, err := parseConfig(list)
	if err != nil {
		return settings{}, fmt.Errorf("pip config list: %w", err)
	}
	s := settings{pages: strings.Fields(values["find-links"]), proxy: values["proxy"], cert: values["cert"]}
	if isTrue(values["no-index"]) {
		return s, nil
	}
	index := values["index-url"]
	if index == "" {
		index = values["pypi-url"]
	}
	if index == "" {
		help, err := c.pip(ctx, "download", "--help")
		if err != nil {
			return settings{}, err
		}
		if index = defaultIndex(help); index == "" {
			return settings{}, errors.New("pip download --help does not say which index it uses: set one with pip config set global.index-url URL")
		}
	}
	s.indexes = append([]string{index}, strings.Fields(values["extra-index-url"])...)
	return s, nil
}

// pip runs pip and returns what it prints.
func (c *Client) pip(ctx context.Context, args ...string) (string, error) {
	program := c.Program
	if program == "" {
		program = "pip3"
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("pypi: %w: pip's settings say which index is used; install it (Debian: apt install python3-pip), or put the file into vendor/", err)
	}
	env := c.Env
	if env == nil {
		// The caller's PATH: pip may be one of several that a person has.
		env = append(sandbox.UserEnv(), "PATH="+os.Getenv("PATH"))
	}
	var out limited
	err = sandbox.Run(ctx, sandbox.Spec{Args: append([]string{path}, args...), Stdout: &out,
		Env: append(env, "COLUMNS=4000", "PIP_DISABLE_PIP_VERSION_CHECK=1", "NO_COLOR=1")}) // no line of the help is broken
	if err != nil {
		return "", fmt.Errorf("pypi: ask pip for its settings: %w", err)
	}
	return out.String(), nil
}

// limited keeps the first maxSettings bytes.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxSettings - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

// sections of pip's configuration that count for a download, the strongest last.
var sections = []string{"global", "download", ":env:"}

// parseConfig reads what `pip config list` prints: SECTION.KEY='VALUE', as Python writes a string.
func parseConfig(text string) (map[string]string, error) {
	found := map[string]map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		name, quoted, ok := strings.Cut(line, "=")
		section, key, ok2 := strings.Cut(name, ".")
		if !ok || !ok2 {
			continue // a warning
		}
		value, err := unquote(quoted)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if found[section] == nil {
			found[section] = map[string]string{}
		}
		found[section][strings.ReplaceAll(key, "_", "-")] = value
	}
	values := map[string]string{}
	for _, section := range sections {
		for key, value := range found[section] {
			values[key] = value
		}
	}
	return values, nil
}

// unquote reads a Python string literal with the escapes that repr writes.
func unquote(s string) (string, error) {
	if len(s) < 2 || s[0] != '\'' && s[0] != '"' || s[len(s)-1] != s[0] {
		return "", errors.New("not a string in quotes") // s may hold a password
	}
	var out strings.Builder
	body := s[1 : len(s)-1]
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			out.WriteByte(body[i])
			continue
		}
		if i++; i == len(body) {
			return "", errors.New("ends in a backslash")
		}
		switch body[i] {
		case 'n', 't', 'r':
			out.WriteByte("\n\t\r"[strings.IndexByte("ntr", body[i])])
		case '\\', '\'', '"':
			out.WriteByte(body[i])
		default:
			return "", fmt.Errorf("escape \\%c is not known", body[i])
		}
	}
	return out.String(), nil
}

// isTrue reads a switch as pip does.
func isTrue(s string) bool {
	switch strings.ToLower(s) {
	case "1", "y", "yes", "t", "true", "on":
		return true
	}
	return false
}

var indexRE = regexp.MustCompile(`--index-url <url>\s+Base URL of the Python Package Index \(default (\S+)\)\.`)

// defaultIndex finds in pip's help the index that it uses by itself.
func defaultIndex(help string) string {
	m := indexRE.FindStringSubmatch(help)
	if m == nil {
		return ""
	}
	return m[1]
}

// web returns the HTTP client for pip's proxy and certificates.
func (c *Client) web(s settings) (*http.Client, error) {
	opt := http.Options{Sink: c.Sink}
	if s.proxy != "" {
		text := s.proxy
		if !strings.Contains(text, "://") {
			text = "http://" + text
		}
		u, err := url.Parse(text)
		if err != nil {
			return nil, errors.New("pip's setting proxy is not a URL") // it may hold a password
		}
		opt.Proxy = u
	}
	if s.cert != "" {
		text, err := os.ReadFile(s.cert)
		if err != nil {
			return nil, fmt.Errorf("pip's setting cert: %w", err)
		}
		opt.Roots = x509.NewCertPool()
		if !opt.Roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("pip's setting cert: %s holds no certificate", s.cert)
		}
	}
	return http.New(opt), nil
}

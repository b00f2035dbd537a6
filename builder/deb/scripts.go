package deb

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"text/template"
	"unicode/utf8"

	"github.com/mesos-forge/forge/builder/recipe"
)

//go:embed snippets/*.sh
var snippetFiles embed.FS

const maxScript = 1 << 20 // bytes of a recipe's own script, and of a unit

// scripts returns the maintainer scripts by name, only those that are needed. They are put
// together from the files in snippets/, in this order; "own" is the recipe's script, which runs
// as a subshell:
//
//	preinst   own
//	postinst  users, owners, own, then per unit enable or disabled, reload, links
//	prerm     stop, stopjobs, own
//	postrm    own, reload, forget, purge
func (s *Spec) scripts(p *plan) (map[string]string, error) {
	units, err := s.units(p)
	if err != nil {
		return nil, err
	}
	b := scriptBuilder{spec: s, out: map[string]string{}}
	own := map[string]string{"preinst": s.Info.Scripts.PreInstall, "postinst": s.Info.Scripts.PostInstall,
		"prerm": s.Info.Scripts.PreRemove, "postrm": s.Info.Scripts.PostRemove}
	b.own("preinst", own["preinst"])
	if len(s.Users)+len(s.Groups) > 0 {
		b.add("postinst", "users", usersData{s.Info.Name, s.Groups, s.Users, s.sysusersPath()})
	}
	if owned := p.owned(); len(owned) > 0 {
		b.add("postinst", "owners", struct{ Owned []*Entry }{owned})
	}
	b.own("postinst", own["postinst"])
	for _, u := range units {
		snippet := "disabled"
		if slices.Contains(s.Enable, u) {
			snippet = "enable"
		}
		b.add("postinst", snippet, struct{ Unit string }{u})
	}
	if len(units) > 0 {
		b.add("postinst", "reload", nil)
		b.add("prerm", "stop", struct{ Units []string }{units})
	}
	if len(s.Scripts) > 0 {
		b.add("postinst", "links", struct{ Services []string }{s.Scripts})
	}
	if jobs := p.jobs(); len(jobs) > 0 {
		b.add("prerm", "stopjobs", struct{ Jobs []string }{jobs})
	}
	b.own("prerm", own["prerm"])
	b.own("postrm", own["postrm"])
	if len(units) > 0 {
		b.add("postrm", "reload", nil)
		b.add("postrm", "forget", struct{ Units []string }{units})
	}
	if len(s.Purge) > 0 {
		b.add("postrm", "purge", purgeData{s.Info.Name, s.Purge, p.ownDirs()})
	}
	return b.finish()
}

// usersData is what users.sh sees.
type usersData struct {
	Name         string
	Groups       []recipe.Group
	Users        []recipe.User
	SysusersPath string
}

// scriptBuilder collects snippets, and the first error.
type scriptBuilder struct {
	spec *Spec
	out  map[string]string
	err  error
}

func (b *scriptBuilder) add(script, snippet string, data any) {
	if b.err != nil {
		return
	}
	t, err := template.New(snippet+".sh").Funcs(template.FuncMap{"shell": shellOf}).ParseFS(snippetFiles, "snippets/"+snippet+".sh")
	if err != nil {
		b.err = fmt.Errorf("snippet %s: %w", snippet, err)
		return
	}
	var text strings.Builder
	if err := t.Execute(&text, data); err != nil {
		b.err = fmt.Errorf("snippet %s: %w", snippet, err)
		return
	}
	b.out[script] += "\n" + strings.TrimRight(text.String(), "\n") + "\n"
}

// own adds a recipe's script; a first line "#!/bin/sh" is taken off.
func (b *scriptBuilder) own(script, file string) {
	if file == "" || b.err != nil {
		return
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(b.spec.Dir, file)
	}
	f, err := os.Open(file)
	if err != nil {
		b.err = fmt.Errorf("package %s: %s: %w", b.spec.Info.Name, script, err)
		return
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxScript+1))
	text := string(raw)
	if strings.HasPrefix(text, "#!") {
		line, rest, _ := strings.Cut(text, "\n")
		if !strings.HasPrefix(line, "#!/bin/sh") {
			err = errors.Join(err, fmt.Errorf("%s starts with %q: only POSIX sh is possible", file, line))
		}
		text = rest
	}
	if strings.TrimSpace(text) == "" || len(raw) > maxScript || !utf8.ValidString(text) {
		err = errors.Join(err, fmt.Errorf("%s: want a shell script of at most %d bytes", file, maxScript))
	}
	if err != nil {
		b.err = fmt.Errorf("package %s: %s: %w", b.spec.Info.Name, script, err)
		return
	}
	b.add(script, "own", struct{ Text string }{strings.Trim(text, "\n")})
}

func (b *scriptBuilder) finish() (map[string]string, error) {
	if b.err != nil {
		return nil, b.err
	}
	for name, body := range b.out {
		head := "#!/bin/sh\n# " + name + " of " + b.spec.Info.Name + ", put together by forge.\nset -e\n"
		if name == "postinst" {
			// dpkg also calls it to undo a failed removal or upgrade, and for triggers.
			head += "\ncase \"$1\" in\nconfigure | abort-upgrade | abort-deconfigure | abort-remove | triggered) ;;\n" +
				"*)\n\techo \"postinst called with unknown argument '$1'\" >&2\n\texit 1\n\t;;\nesac\n"
		}
		b.out[name] = head + body + "\nexit 0\n"
	}
	return b.out, nil
}

func shellOf(u recipe.User) string {
	if u.Shell != "" {
		return u.Shell
	}
	return "/usr/sbin/nologin"
}

// owned are the entries that do not belong to root, parents first.
func (p *plan) owned() []*Entry {
	var out []*Entry
	for _, e := range p.entries {
		if e.Owner != "root" || e.Group != "root" {
			out = append(out, e)
		}
	}
	return out
}

// purgeData is what purge.sh sees.
type purgeData struct {
	Name  string
	Purge []string
	Dirs  []string // removed if empty, deepest first
}

// sharedDirs are directories that many packages have.
var sharedDirs = []string{"/bin", "/boot", "/etc", "/etc/default", "/etc/init", "/etc/init.d", "/etc/logrotate.d", "/etc/profile.d",
	"/etc/systemd", "/etc/systemd/system", "/home", "/lib", "/mnt", "/opt", "/run", "/sbin", "/srv", "/usr", "/usr/bin",
	"/usr/lib", "/usr/local", "/usr/sbin", "/usr/share", "/var", "/var/cache", "/var/lib", "/var/log", "/var/spool"}

// ownDirs are the package's own directories in /etc and /var, deepest first: dpkg leaves them
// behind when rendered files were in them.
func (p *plan) ownDirs() []string {
	var out []string
	for _, e := range p.entries {
		inReach := strings.HasPrefix(e.Path, "/etc/") || strings.HasPrefix(e.Path, "/var/")
		if e.Kind == recipe.EntryDir && inReach && !slices.Contains(sharedDirs, e.Path) && plainPath(e.Path) {
			out = append(out, e.Path)
		}
	}
	sort.Sort(sort.Reverse(sort.StringSlice(out)))
	return out
}

// units names the package's systemd units that can be enabled, sorted: those with an [Install]
// section that are no templates.
func (s *Spec) units(p *plan) ([]string, error) {
	var out []string
	for _, e := range p.entries {
		dir, name := path.Split(e.Path)
		if dir != "/usr/lib/systemd/system/" && dir != "/lib/systemd/system/" {
			continue
		}
		if e.Kind != recipe.EntryFile || !unitForm.MatchString(name) || strings.Contains(name, "@.") {
			continue
		}
		text, err := e.text(maxScript)
		if err != nil {
			return nil, fmt.Errorf("package %s: %w", s.Info.Name, err)
		}
		if strings.Contains("\n"+text, "\n[Install]") {
			out = append(out, name)
		}
	}
	for _, u := range s.Enable {
		if !slices.Contains(out, u) {
			return nil, fmt.Errorf("package %s: enable %q: the package has no such unit with an [Install] section", s.Info.Name, u)
		}
	}
	return out, nil
}

// text returns the content of a small file.
func (e *Entry) text(limit int64) (string, error) {
	content, size, err := e.open()
	if err != nil {
		return "", err
	}
	defer content.Close()
	if size > limit {
		return "", fmt.Errorf("%s is larger than %d bytes", e.Path, limit)
	}
	b, err := io.ReadAll(content)
	return string(b), err
}

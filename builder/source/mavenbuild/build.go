package mavenbuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/source/java"
	"github.com/mesos-forge/forge/builder/store"
)

// Project is what is built.
type Project struct {
	Name string // in messages
	Tree string // a tar of the project's files, with pom.xml at its top
	Jar  string // a glob (path.Match) below the project's folder; exactly one file matches after the build
	// Repeat are the commands that bring a person to the project's folder, for messages: "git clone ...".
	Repeat string
}

// Builder runs mvn of the host.
type Builder struct {
	JDK     java.JDK
	Program string // mvn's path or its name in PATH; empty is "mvn"
	Home    string // the user's home, whose .m2/settings.xml Record uses; empty is $HOME
	Env     []string
	Temp    string    // a folder on the file system of the blobs
	Log     io.Writer // hears all that mvn says; nil is nobody
}

// Blobs is the store as a build needs it.
type Blobs interface {
	source.Blobs
	BlobPath(d store.Digest) (string, error)
}

// limits bound a project's tree.
var limits = archive.Limits{Entries: 200_000, Bytes: 2 << 30, FileBytes: 512 << 20}

// site is the folder of one run.
type site struct {
	*Builder
	project Project
	dir     string
}

func (b *Builder) newSite(ctx context.Context, p Project) (*site, error) {
	dir, err := os.MkdirTemp(b.Temp, "maven-build-")
	if err != nil {
		return nil, err
	}
	s := &site{Builder: b, project: p, dir: dir}
	for _, d := range []string{"project", "repository", "home/.m2"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	if err := s.unpack(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *site) close() error { return os.RemoveAll(s.dir) }

func (s *site) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

func (s *site) unpack(ctx context.Context) error {
	in, err := os.Open(s.project.Tree)
	if err != nil {
		return err
	}
	defer in.Close()
	root, err := os.OpenRoot(s.path("project"))
	if err != nil {
		return err
	}
	defer root.Close()
	opt := archive.Options{Name: "project " + s.project.Name, Limits: limits, ConfineLinks: true, Owner: archive.FixedOwner(os.Geteuid(), os.Getegid())}
	if _, err := archive.ExtractTar(ctx, in, root, opt); err != nil {
		return err
	}
	if _, err := root.Stat("pom.xml"); err != nil {
		return fmt.Errorf("project %s has no pom.xml at its top: it is not a project of Maven", s.project.Name)
	}
	return nil
}

// epoch is the time of what the build writes (SOURCE_DATE_EPOCH): the first that Maven's plugins take.
var epoch = time.Date(1980, 1, 1, 0, 0, 2, 0, time.UTC)

// goals are what mvn is asked for, and what a person would ask.
var goals = []string{"-DskipTests", "package"}

// run runs the build. Without network it has the local repository alone, and no settings of anybody.
func (s *site) run(ctx context.Context, network bool) error {
	room, err := java.NewRoom(s.dir, s.JDK, network)
	if err != nil {
		return err
	}
	mvn, err := findMvn(room, s.Program)
	if err != nil {
		return err
	}
	room.Bind(s.path("project"), java.InsideWork+"/project")
	room.Bind(s.path("repository"), java.InsideWork+"/repository")
	room.Bind(s.path("home"), java.InsideHome)
	args := []string{mvn, "-B", "-ntp", "-C", "-Dmaven.repo.local=" + java.InsideWork + "/repository",
		"-Dproject.build.outputTimestamp=" + epoch.Format(time.RFC3339)}
	opts := "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Duser.home=" + java.InsideHome + " -Duser.name=forge"
	env := []string{"JAVA_HOME=" + room.Java, "HOME=" + java.InsideHome, fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch.Unix())}
	if network {
		args = append(args, "-U")
		more, user := s.userEnv()
		env, opts = append(env, more...), opts+" "+user
		if err := s.settings(); err != nil {
			return err
		}
	} else {
		args = append(args, "-o", "-s", java.InsideHome+"/.m2/settings.xml", "-gs", java.InsideHome+"/.m2/settings.xml")
		if err := os.WriteFile(s.path("home/.m2/settings.xml"), []byte("<settings/>\n"), 0o644); err != nil {
			return err
		}
	}
	env = append(env, "MAVEN_OPTS="+strings.TrimSpace(opts), "MAVEN_SKIP_RC=1")
	var said tail
	out := io.Writer(&said)
	if s.Log != nil {
		out = io.MultiWriter(s.Log, &said)
	}
	err = sandbox.Run(ctx, sandbox.Spec{Root: room.Dir, Args: append(args, goals...), Env: env, Dir: java.InsideWork + "/project",
		Binds: room.Binds, Network: network, Stdout: out, Stderr: out})
	return s.explain(err, &said, network)
}

// userEnv is what counts of the user's environment where files are fetched: proxies, and Java's options.
func (s *site) userEnv() (env []string, opts string) {
	all := s.Env
	if all == nil {
		all = sandbox.UserEnv()
	}
	for _, kv := range all {
		key, value, _ := strings.Cut(kv, "=")
		switch {
		case key == "MAVEN_OPTS":
			opts = value
		case strings.HasSuffix(strings.ToLower(key), "_proxy"):
			env = append(env, kv)
		}
	}
	return env, opts
}

// settings copies the user's settings, mirrors and credentials, to where mvn looks for them.
func (s *site) settings() error {
	home := s.Home
	if home == "" {
		home = os.Getenv("HOME")
	}
	for _, name := range []string{"settings.xml", "settings-security.xml"} {
		text, err := os.ReadFile(filepath.Join(home, ".m2", name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(s.path("home/.m2", name), text, 0o600)
		}
		if err != nil {
			return fmt.Errorf("the user's settings of Maven: %w", err)
		}
	}
	return nil
}

// jar returns the one file that the pattern matches.
func (s *site) jar() (string, error) {
	root, err := os.OpenRoot(s.path("project"))
	if err != nil {
		return "", err
	}
	defer root.Close()
	found, err := fs.Glob(root.FS(), s.project.Jar)
	if err != nil {
		return "", fmt.Errorf("pattern %q: %w", s.project.Jar, err)
	}
	switch len(found) {
	case 1:
		info, err := root.Lstat(found[0])
		if err == nil && !info.Mode().IsRegular() {
			err = errors.New("not a regular file")
		}
		if err != nil {
			return "", fmt.Errorf("project %s: %s: %w", s.project.Name, found[0], err)
		}
		return s.path("project", found[0]), nil
	case 0:
		jars, err := fs.Glob(root.FS(), filepath.Dir(s.project.Jar)+"/*.jar")
		return "", errors.Join(fmt.Errorf("project %s: the build made no file that matches %s; it made %s", s.project.Name, s.project.Jar, orNone(jars)), err)
	default:
		slices.Sort(found)
		return "", fmt.Errorf("project %s: the build made %d files that match %s, want one: %s", s.project.Name, len(found), s.project.Jar, strings.Join(found, ", "))
	}
}

// Build makes the jar of a project with these files alone, without a network, and puts it into blobs.
func (b *Builder) Build(ctx context.Context, p Project, files []File, blobs Blobs) (res source.Result, err error) {
	s, err := b.newSite(ctx, p)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, f := range files {
		if err := s.lay(f, blobs); err != nil {
			return res, err
		}
	}
	if err := s.run(ctx, false); err != nil {
		return res, err
	}
	made, err := s.jar()
	if err != nil {
		return res, err
	}
	out := s.path("result.jar")
	if err := java.Normalize(ctx, made, out); err != nil {
		return res, fmt.Errorf("project %s: %s: %w", p.Name, filepath.Base(made), err)
	}
	return source.Adopt(source.Artifact{Name: p.Name}, out, filepath.Base(made), "build of "+p.Name, blobs)
}

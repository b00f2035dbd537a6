package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/sandbox"
)

// local are variables that say which repository git works on: those of a hook or a script that forge was
// started by would lead it to another one (git rev-parse --local-env-vars).
var local = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
	"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_REPLACE_REF_BASE",
	"GIT_NO_REPLACE_OBJECTS", "GIT_NAMESPACE", "GIT_CEILING_DIRECTORIES", "GIT_TEMPLATE_DIR", "GIT_ALLOW_PROTOCOL",
	"GIT_TERMINAL_PROMPT", "GIT_ATTR_SOURCE", "GIT_ATTR_GLOBAL",
}

// attributes take back all that git's attributes change in files when a tree is written. This file has the
// last word (gitattributes(5)).
const attributes = "* -export-ignore -export-subst -text -eol -ident -filter -working-tree-encoding\n"

// fetch makes the copy with the commit in it: alone, where the server gives single commits, or else
// with all branches and tags.
func (r *repository) fetch(ctx context.Context) error {
	if err := r.init(ctx); err != nil {
		return err
	}
	r.client.emit(event.Event{Kind: event.Phase, Message: "git fetches " + r.commit.ID[:12]})
	err := r.get(ctx, []string{"--depth=1"}, r.commit.ID)
	if err == nil {
		return r.verify(ctx)
	}
	if !unadvertised(err) {
		return r.explain(err)
	}
	if err := r.get(ctx, nil, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"); err != nil {
		return r.explain(err)
	}
	return r.verify(ctx)
}

func (r *repository) init(ctx context.Context) error {
	if err := r.run(ctx, nil, "", "init", "--quiet", "--bare", "--template=", r.dir); err != nil {
		return err
	}
	info := filepath.Join(r.dir, "info")
	return errors.Join(os.MkdirAll(info, 0o755), os.WriteFile(filepath.Join(info, "attributes"), []byte(attributes), 0o644))
}

func (r *repository) get(ctx context.Context, options []string, refs ...string) error {
	args := slices.Concat([]string{"fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance"}, options, []string{"--", r.commit.Repository})
	return r.git(ctx, nil, append(args, refs...)...)
}

// unadvertised tells whether a server does not give a commit by its id, or has not got it.
func unadvertised(err error) bool {
	var exit *sandbox.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	for _, sign := range []string{"not our ref", "unadvertised object", "couldn't find remote ref", "bad object", "did not send all necessary objects"} {
		if strings.Contains(exit.Tail, sign) {
			return true
		}
	}
	return false
}

// verify makes sure that the id is that of a commit which is here now.
func (r *repository) verify(ctx context.Context) error {
	var kind strings.Builder
	err := r.git(ctx, &limited{w: &kind, left: 64}, "cat-file", "-t", r.commit.ID)
	var exit *sandbox.ExitError
	switch {
	case errors.As(err, &exit):
		return fmt.Errorf("repository %s has no commit %s on any branch or tag: the id is wrong, or the branch that had it was rewritten", r.commit.Repository, r.commit.ID)
	case err != nil:
		return err
	case strings.TrimSpace(kind.String()) != "commit":
		return fmt.Errorf("repository %s: %s is a %s, not a commit: git rev-parse NAME^{commit} gives the commit's id", r.commit.Repository, r.commit.ID, strings.TrimSpace(kind.String()))
	}
	return nil
}

// git runs git on the copy.
func (r *repository) git(ctx context.Context, out io.Writer, args ...string) error {
	return r.run(ctx, out, r.dir, args...)
}

func (r *repository) run(ctx context.Context, out io.Writer, dir string, args ...string) error {
	program := r.client.Program
	if program == "" {
		program = "git"
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return fmt.Errorf("git: %w: install it (Debian: apt install git)", err)
	}
	env := r.client.Env
	if env == nil {
		env = append(sandbox.UserEnv(), "PATH="+os.Getenv("PATH"))
	}
	env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(local, name)
	})
	env = append(env, "GIT_ALLOW_PROTOCOL="+strings.Join(protocols, ":"), "GIT_TERMINAL_PROMPT=0")
	if dir != "" {
		env = append(env, "GIT_DIR="+dir)
	}
	// A stalled server ends the fetch, and no hook of the user's is run.
	settings := []string{"-c", "core.hooksPath=/dev/null", "-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60", "-c", "tar.umask=0022"}
	return sandbox.Run(ctx, sandbox.Spec{Args: slices.Concat([]string{path}, settings, args), Env: env, Stdout: out})
}

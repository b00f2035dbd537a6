package builder

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// forgeItself is the program that runs.
const forgeItself = "forge"

// program returns the step for one of forge's own programs: compiled from the checkout, or, where the
// checkout has recipes only, the one that a release brings.
func (b *Builder) program(name string) *step.Step {
	return b.once("program/"+name, func(called string) *step.Step {
		if _, err := os.Stat(filepath.Join(b.opt.Checkout, "go.mod")); err == nil {
			return b.compile(called, name)
		}
		executable, err := os.Executable()
		if err != nil {
			executable = os.Args[0]
		}
		if name == forgeItself {
			return released(called, executable)
		}
		return released(called, releasedPath(executable, name))
	})
}

// compiledKind is the kind of step that compiles a program from the checkout.
const compiledKind = "go-build"

// programSources are the paths of the checkout that a program is compiled of, beside those of modules.
func programSources(name string) []string {
	if name == forgeItself {
		return []string{"cmd/" + name, "builder", "example.go", "cluster.example.yaml"}
	}
	return []string{"cmd/" + name, "builder/node", "builder/cluster", "builder/event"}
}

func (b *Builder) compile(called, name string) *step.Step {
	set := struct{ Program, Arch, Toolchain string }{name, "amd64", toolchain()}
	return &step.Step{Name: called, Kind: compiledKind, Version: 2, Settings: set,
		Inputs: sourceInputs(b.opt.Checkout, append(programSources(name), "go.mod", "go.sum")...),
		Run: func(ctx context.Context, r *step.Run) error {
			out := filepath.Join(r.Dir, name)
			env, err := b.moduleEnv(r.Dir)
			if err != nil {
				return err
			}
			args := []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", out, "./cmd/" + name}
			env = append(append(goEnv(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64"), env...)
			if err := b.runGo(ctx, r, args, env); err != nil {
				return err
			}
			return r.PutFile("program", out)
		}}
}

// toolchain is the version of the Go in PATH, as the file VERSION in its folder says it: asking the
// program would cost each build, also one with nothing to do, more than all its other steps. A
// toolchain that go.mod asks for in its place is named in go.mod, which is an input.
func toolchain() string {
	program, err := exec.LookPath("go")
	if err != nil {
		return "none"
	}
	if program, err = filepath.EvalSymlinks(program); err != nil {
		return "unknown"
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(program), "..", "VERSION"))
	if err != nil {
		return "unknown"
	}
	version, _, _ := strings.Cut(string(text), "\n")
	return version
}

// sourceInputs digests the files of the checkout below the given paths, tests left out. What can't
// be read is left out too: the step that needs it says so.
func sourceInputs(checkout string, paths ...string) map[string]store.Digest {
	in := map[string]store.Digest{}
	for _, p := range paths {
		_ = filepath.WalkDir(filepath.Join(checkout, p), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() && d.Name() == "testdata" {
				return fs.SkipDir
			}
			if matched, _ := filepath.Match("*_test.go", d.Name()); d.IsDir() || matched {
				return nil
			}
			rel, err := filepath.Rel(checkout, path)
			if err != nil {
				return err
			}
			if b, err := os.ReadFile(path); err == nil {
				in[rel] = store.DigestOf(b)
			}
			return nil
		})
	}
	return in
}

package apt_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/source/apt"
	"github.com/mesos-forge/forge/builder/source/file"
	"github.com/mesos-forge/forge/builder/store"
)

func TestFetch(t *testing.T) {
	ctx := context.Background()
	setup := func(t *testing.T) (*repo, *apt.Client, []apt.Package, *store.Store) {
		r := newRepo(t, pkg{name: "hello", version: "1:1.0+x"}, pkg{name: "extra", version: "2"})
		c := client(t)
		pkgs, err := c.Solve(ctx, r.snapshot(t, c), apt.Request{Install: []string{"hello", "extra"}})
		if err != nil || len(pkgs) != 2 {
			t.Fatal(pkgs, err)
		}
		return r, c, pkgs, openStore(t)
	}
	hello := func(pkgs []apt.Package) (apt.Package, string) {
		i := slices.IndexFunc(pkgs, func(p apt.Package) bool { return p.Name == "hello" })
		return pkgs[i], pkgs[i].Filename
	}
	options := func(r *repo, s *store.Store) apt.FetchOptions {
		return apt.FetchOptions{Mirror: r.mirror(), Temp: filepath.Join(s.Dir(), "tmp"), Jobs: 2}
	}

	t.Run("good", func(t *testing.T) {
		r, c, pkgs, s := setup(t)
		for range 2 {
			if err := c.Fetch(ctx, pkgs, s, options(r, s)); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range pkgs {
			if _, err := s.BlobPath(p.Digest); err != nil {
				t.Error(err)
			}
			if n := r.hits[p.Filename]; n != 1 {
				t.Errorf("%s was asked for %d times", p.Filename, n)
			}
		}
		if left, _ := filepath.Glob(filepath.Join(s.Dir(), "tmp", "debs-*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("file archive", func(t *testing.T) {
		r, c, pkgs, s := setup(t)
		opt := options(r, s)
		opt.Mirror.Main = "file:" + r.dir
		if err := c.Fetch(ctx, pkgs, s, opt); err != nil {
			t.Fatal(err)
		}
		for _, p := range pkgs {
			if !s.HasBlob(p.Digest) || len(read(t, filepath.Join(r.dir, p.Filename))) == 0 {
				t.Errorf("%s: not stored, or gone from the archive", p)
			}
		}
	})
	t.Run("second archive", func(t *testing.T) {
		r, c, pkgs, s := setup(t)
		opt := options(r, s)
		opt.Mirror.Main, opt.Mirror.Security = r.url+"/nothing", r.url
		if err := c.Fetch(ctx, pkgs, s, opt); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("other bytes", func(t *testing.T) {
		r, c, pkgs, s := setup(t)
		p, name := hello(pkgs)
		write(t, filepath.Join(r.dir, name), bytes.Repeat([]byte("x"), int(p.Size)))
		err := c.Fetch(ctx, pkgs, s, options(r, s))
		wantError(t, err, "hello=1:1.0+x", "expected "+string(p.Digest), "got sha256:", "from "+r.url)
		if s.HasBlob(p.Digest) {
			t.Error("stored")
		}
	})
	t.Run("cut short", func(t *testing.T) {
		r, c, pkgs, s := setup(t)
		p, name := hello(pkgs)
		write(t, filepath.Join(r.dir, name), read(t, filepath.Join(r.dir, name))[:p.Size/2])
		wantError(t, c.Fetch(ctx, pkgs, s, options(r, s)), "hello=1:1.0+x", "truncated")
	})
	t.Run("connection cut", func(t *testing.T) {
		r, c, pkgs, s := setup(t)
		p, name := hello(pkgs)
		r.override[name] = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000000")
			w.Write(make([]byte, p.Size/2))
			panic(http.ErrAbortHandler)
		}
		wantError(t, c.Fetch(ctx, pkgs, s, options(r, s)), "hello=1:1.0+x", "broke off")
	})
	t.Run("endless", func(t *testing.T) {
		r, c, pkgs, s := setup(t)
		_, name := hello(pkgs)
		r.override[name] = func(w http.ResponseWriter, req *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}
		wantError(t, c.Fetch(ctx, pkgs, s, options(r, s)), "hello=1:1.0+x", "larger than the")
	})
	t.Run("gone", func(t *testing.T) {
		r, c, pkgs, s := setup(t)
		p, name := hello(pkgs)
		if err := os.Remove(filepath.Join(r.dir, name)); err != nil {
			t.Fatal(err)
		}
		err := c.Fetch(ctx, pkgs, s, options(r, s))
		wantError(t, err, "can't be had any more", "hello=1:1.0+x", name, string(p.Digest), "forge lock")
		if !errors.Is(err, source.ErrNotFound) {
			t.Error("does not wrap ErrNotFound")
		}
	})
	t.Run("server down", func(t *testing.T) {
		r, c, pkgs, s := setup(t)
		_, name := hello(pkgs)
		r.override[name] = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) }
		wantError(t, c.Fetch(ctx, pkgs, s, options(r, s)), "hello=1:1.0+x", "502", "try again")
	})
	t.Run("vendor first", func(t *testing.T) {
		r, c, pkgs, s := setup(t)
		p, name := hello(pkgs)
		dir := t.TempDir()
		write(t, filepath.Join(dir, "debs", filepath.Base(name)), read(t, filepath.Join(r.dir, name)))
		vendor := file.Open(dir)
		defer vendor.Close()
		opt := options(r, s)
		opt.First = vendor
		if err := c.Fetch(ctx, pkgs, s, opt); err != nil {
			t.Fatal(err)
		}
		if r.hits[name] != 0 || !s.HasBlob(p.Digest) || len(r.hits) == 0 {
			t.Errorf("requests: %v", r.hits)
		}
	})
	t.Run("vendor lies", func(t *testing.T) {
		r, c, pkgs, s := setup(t)
		p, name := hello(pkgs)
		dir := t.TempDir()
		write(t, filepath.Join(dir, filepath.Base(name)), bytes.Repeat([]byte("x"), int(p.Size)))
		vendor := file.Open(dir)
		defer vendor.Close()
		opt := options(r, s)
		opt.First = vendor
		wantError(t, c.Fetch(ctx, pkgs, s, opt), "hello=1:1.0+x", "expected "+string(p.Digest), "from "+dir)
		if r.hits[name] != 0 {
			t.Error("the mirror was asked after vendor lied")
		}
	})
	t.Run("offline", func(t *testing.T) {
		_, c, pkgs, s := setup(t)
		wantError(t, c.Fetch(ctx, pkgs, s, apt.FetchOptions{Temp: t.TempDir()}), "--offline", "forge vendor", "extra=2")
	})
	t.Run("interrupted", func(t *testing.T) {
		r, c, pkgs, s := setup(t)
		_, name := hello(pkgs)
		ctx, cancel := context.WithCancel(ctx)
		r.override[name] = func(w http.ResponseWriter, req *http.Request) {
			cancel()
			<-req.Context().Done()
		}
		if err := c.Fetch(ctx, pkgs, s, options(r, s)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

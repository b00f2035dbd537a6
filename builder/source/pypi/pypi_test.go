package pypi_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/source/pypi"
	"github.com/mesos-forge/forge/builder/store"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

var archive = bytes.Repeat([]byte("the archive "), 10000)

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// index is a package index with the archives of one project, word-count.
type index struct {
	files  map[string]string // the digest that the index says, by name; "": none
	html   bool              // knows only the older form
	user   string            // wants these credentials
	asked  []string
	served []byte // in place of archive
}

func (x *index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.asked = append(x.asked, r.URL.Path)
	if user, password, _ := r.BasicAuth(); x.user != "" && user+":"+password != x.user {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	name, isFile := strings.CutPrefix(r.URL.Path, "/files/")
	switch _, known := x.files[name]; {
	case isFile && known && x.served != nil:
		_, _ = w.Write(x.served)
	case isFile && known:
		_, _ = w.Write(archive)
	case r.URL.Path != "/simple/word-count/":
		http.NotFound(w, r)
	case x.html:
		x.writeHTML(w)
	case strings.Contains(r.Header.Get("Accept"), "application/vnd.pypi.simple.v1+json"):
		x.writeJSON(w)
	default:
		http.Error(w, "no known type is asked for", http.StatusNotAcceptable)
	}
}

func (x *index) writeHTML(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, `<!DOCTYPE html><html><body><a href="mailto:x@example.invalid">home</a><br>`)
	for name, digest := range x.files {
		ref := "../../files/" + name
		if digest != "" {
			ref += "#sha256=" + digest
		}
		fmt.Fprintf(w, `<a data-requires-python="&gt;=3.8" href="%s">%s</a><br/>`, html.EscapeString(ref), name)
	}
}

func (x *index) writeJSON(w http.ResponseWriter) {
	type file struct {
		Filename string            `json:"filename"`
		URL      string            `json:"url"`
		Hashes   map[string]string `json:"hashes"`
		Other    int               `json:"other"`
	}
	page := struct {
		Meta  map[string]string `json:"meta"`
		Name  string            `json:"name"`
		Files []file            `json:"files"`
	}{Meta: map[string]string{"api-version": "1.1"}, Name: "word-count"}
	for name, digest := range x.files {
		f := file{Filename: name, URL: "/files/" + name, Hashes: map[string]string{}}
		if digest != "" {
			f.Hashes["sha256"] = digest
		}
		page.Files = append(page.Files, f)
	}
	w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
	_ = json.NewEncoder(w).Encode(page)
}

// wordCount are the files of the project, with the right digests.
func wordCount() map[string]string {
	return map[string]string{"word_count-1.2.tar.gz": sum(archive), "word_count-1.2-py3-none-any.whl": sum([]byte("wheel")),
		"Word.Count-1.1.tar.gz": sum(archive), "word_count-1.3rc1.tar.gz": sum(archive)}
}

// pip returns the path of the pip of this machine.
func pip(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("pip3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("missing: pip3 (Debian: python3-pip)")
		}
		t.Skip("missing: pip3")
	}
	return path
}

// client returns a client whose pip has no settings but those of env.
func client(t *testing.T, env ...string) *pypi.Client {
	t.Helper()
	own := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "PIP_") || strings.HasPrefix(kv, "XDG_") })
	return &pypi.Client{Program: pip(t), Env: slices.Concat(own, []string{"HOME=" + t.TempDir(), "PIP_CONFIG_FILE=/dev/null"}, env)}
}

func fetch(t *testing.T, c *pypi.Client, requirement string, want store.Digest) (source.Result, error) {
	t.Helper()
	req, err := pypi.Parse(requirement)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	a := source.Artifact{Name: "demo/words", File: req.File(), Digest: want}
	results, err := source.FetchAll(t.Context(), []source.Want{{Artifact: a, Places: []source.Source{c.Archive(req)}}}, st, 1, nil)
	if err != nil {
		return source.Result{}, err
	}
	path, err := st.BlobPath(results[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, archive) {
		t.Errorf("the store holds %d other bytes (%v)", len(got), err)
	}
	return results[0], nil
}

func serve(t *testing.T, x *index) string {
	t.Helper()
	srv := httptest.NewServer(x)
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestFetch(t *testing.T) {
	for _, tt := range []struct {
		html              bool
		requirement, file string
		want              store.Digest
	}{
		{false, "word-count==1.2", "word_count-1.2.tar.gz", ""},
		{false, "Word.Count==1.1", "word_count-1.1.tar.gz", store.Digest("sha256:" + sum(archive))},
		{true, "Word.Count==1.1", "word_count-1.1.tar.gz", ""},
		{true, "word-count==1.2", "word_count-1.2.tar.gz", store.Digest("sha256:" + sum(archive))},
	} {
		x := &index{files: wordCount(), html: tt.html}
		got, err := fetch(t, client(t, "PIP_INDEX_URL="+serve(t, x)+"/simple"), tt.requirement, tt.want)
		if err != nil {
			t.Errorf("%+v: %v", tt, err)
		} else if got.File != tt.file || got.Digest.Hex() != sum(archive) {
			t.Errorf("%+v: got %+v", tt, got)
		}
		if len(x.asked) != 2 {
			t.Errorf("%+v: asked for %q", tt, x.asked)
		}
	}
}

// TestPlaces holds where is looked: pages of links, then the index, then the others.
func TestPlaces(t *testing.T) {
	full, empty := serve(t, &index{files: wordCount()}), serve(t, &index{files: map[string]string{}})
	secret := serve(t, &index{files: wordCount(), user: "ann:p%t"})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "word_count-1.2.tar.gz"), archive, 0o644); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "pip.conf")
	if err := os.WriteFile(config, []byte("[global]\nindex-url = "+empty+"/simple\n[download]\nextra-index-url =\n\t"+empty+"/simple/\n\t"+full+"/simple/\n[install]\nno-index = true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		env  []string
		from string
		err  string
	}{
		"another index":  {env: []string{"PIP_INDEX_URL=" + empty + "/simple", "PIP_EXTRA_INDEX_URL=" + full + "/simple"}, from: full},
		"file":           {env: []string{"PIP_CONFIG_FILE=" + config}, from: full},
		"credentials":    {env: []string{"PIP_INDEX_URL=" + strings.Replace(secret, "://", "://ann:p%25t@", 1) + "/simple"}, from: "ann:xxxxx@"},
		"folder":         {env: []string{"PIP_NO_INDEX=1", "PIP_FIND_LINKS=" + dir}, from: dir},
		"folder as URL":  {env: []string{"PIP_NO_INDEX=yes", "PIP_FIND_LINKS=file://" + dir}, from: dir},
		"page":           {env: []string{"PIP_NO_INDEX=1", "PIP_FIND_LINKS=" + full + "/simple/word-count/"}, from: full},
		"proxy":          {env: []string{"PIP_INDEX_URL=http://index.invalid/simple", "PIP_PROXY=" + full}, from: "http://index.invalid/files/"},
		"nothing":        {env: []string{"PIP_NO_INDEX=1"}, err: "it has no source archive of word-count"},
		"no certificate": {env: []string{"PIP_INDEX_URL=" + full + "/simple", "PIP_CERT=" + config}, err: "pip's setting cert: " + config + " holds no certificate"},
		"wrong password": {env: []string{"PIP_INDEX_URL=" + strings.Replace(secret, "://", "://ann:wrong@", 1) + "/simple"}, err: "check the credentials"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := fetch(t, client(t, tt.env...), "word-count==1.2", "")
			switch {
			case tt.err != "":
				if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "wrong@") {
					t.Errorf("got %v, want %q", err, tt.err)
				}
			case err != nil:
				t.Error(err)
			case !strings.Contains(got.From, tt.from):
				t.Errorf("from %s, want %s", got.From, tt.from)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	lies := &index{files: map[string]string{"word_count-1.2.tar.gz": sum([]byte("other"))}}
	changed := &index{files: wordCount(), served: []byte("other")}
	tests := map[string]struct {
		index       http.Handler
		requirement string
		want        store.Digest
		err         []string
	}{
		"another version":  {index: &index{files: wordCount()}, requirement: "word-count==1.21", err: []string{"demo/words (word_count-1.21.tar.gz): not found", "3 other versions of word-count", `did you mean "1.`, "put word_count-1.21.tar.gz into vendor/"}},
		"another project":  {index: &index{files: wordCount()}, requirement: "word-kount==1.2", err: []string{"asked pypi word-kount==1.2 (it has no source archive of word-kount)"}},
		"index's digest":   {index: lies, requirement: "word-count==1.2", err: []string{"digest mismatch", sum([]byte("other")), sum(archive)}},
		"lock's digest":    {index: &index{files: wordCount()}, requirement: "word-count==1.2", want: store.Digest("sha256:" + sum([]byte("locked"))), err: []string{"digest mismatch: expected sha256:" + sum([]byte("locked"))}},
		"other bytes":      {index: changed, requirement: "word-count==1.2", err: []string{"digest mismatch", sum([]byte("other"))}},
		"no index at all":  {index: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{1, 2, 3}) }), requirement: "word-count==1.2", err: []string{"is not that of a package index"}},
		"another API":      {index: answer("application/vnd.pypi.simple.v1+json", `{"meta": {"api-version": "2.0"}}`), requirement: "word-count==1.2", err: []string{`version "2.0" of the simple API`}},
		"broken JSON":      {index: answer("application/vnd.pypi.simple.v1+json", `{"files": [`), requirement: "word-count==1.2", err: []string{"unexpected end"}},
		"name with folder": {index: answer("application/vnd.pypi.simple.v1+json", `{"meta": {"api-version": "1.0"}, "files": [{"filename": "../x-1.2.tar.gz", "url": "x"}]}`), requirement: "word-count==1.2", err: []string{"not a base name"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(tt.index)
			defer srv.Close()
			_, err := fetch(t, client(t, "PIP_INDEX_URL="+srv.URL+"/simple"), tt.requirement, tt.want)
			if err == nil {
				t.Fatal("taken")
			}
			for _, part := range tt.err {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("got %v\nwant %q", err, part)
				}
			}
		})
	}
}

func answer(mediaType, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		_, _ = w.Write([]byte(text))
	})
}

func TestWithoutPip(t *testing.T) {
	_, err := fetch(t, &pypi.Client{Program: filepath.Join(t.TempDir(), "pip3")}, "word-count==1.2", "")
	if err == nil || !strings.Contains(err.Error(), "apt install python3-pip") {
		t.Error(err)
	}
}

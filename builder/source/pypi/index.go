package pypi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"path"
	"strings"

	"golang.org/x/net/html"

	"github.com/mesos-forge/forge/builder/store"
)

// accept asks for the newer form of the simple API first (PEP 691).
const accept = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"

// maxPage bounds one page of an index, in bytes.
const maxPage = 64 << 20

// link is one file that an index has.
type link struct {
	file   string // base name
	url    *url.URL
	digest store.Digest // "": the index says none, or not sha256
}

// parsePage reads a page of an index that came from base.
func parsePage(text []byte, mediaType string, base *url.URL) ([]link, error) {
	kind, _, err := mime.ParseMediaType(mediaType)
	if err != nil {
		return nil, fmt.Errorf("media type %q: %w", mediaType, err)
	}
	switch kind {
	case "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.latest+json":
		return parseJSON(text, base)
	case "application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.latest+html", "text/html", "application/xhtml+xml":
		return parseHTML(text, base)
	}
	return nil, fmt.Errorf("media type %q is not that of a package index: want its simple API (PEP 503 or PEP 691)", kind)
}

// parseJSON reads a project's page. Keys that it has besides are for others (PEP 691).
func parseJSON(text []byte, base *url.URL) ([]link, error) {
	var page struct {
		Meta struct {
			Version string `json:"api-version"`
		} `json:"meta"`
		Files []struct {
			Filename string            `json:"filename"`
			URL      string            `json:"url"`
			Hashes   map[string]string `json:"hashes"`
		} `json:"files"`
	}
	if err := json.Unmarshal(text, &page); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(page.Meta.Version, "1.") {
		return nil, fmt.Errorf("version %q of the simple API; want 1.x", page.Meta.Version)
	}
	var out []link
	for _, f := range page.Files {
		l, err := newLink(base, f.URL, f.Hashes["sha256"])
		if err != nil {
			return nil, fmt.Errorf("file %q: %w", f.Filename, err)
		}
		if l.file = f.Filename; path.Base(l.file) != l.file {
			return nil, fmt.Errorf("file %q is not a base name", f.Filename)
		}
		out = append(out, l)
	}
	return out, nil
}

// parseHTML reads the anchors of a page.
func parseHTML(text []byte, base *url.URL) ([]link, error) {
	var out []link
	for z := html.NewTokenizer(bytes.NewReader(text)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return out, nil // the end: the text is in memory
		case html.StartTagToken, html.SelfClosingTagToken:
		default:
			continue
		}
		token := z.Token()
		href := attribute(token, "href")
		if token.Data == "base" && href != "" {
			if u, err := base.Parse(href); err == nil {
				base = u
			}
		}
		if token.Data != "a" || href == "" {
			continue
		}
		ref, sum, _ := strings.Cut(href, "#")
		hex, ok := strings.CutPrefix(sum, "sha256=")
		if !ok {
			hex = ""
		}
		hex, _, _ = strings.Cut(hex, "&")
		// Anchors that lead elsewhere, to a home page, say, are none of ours.
		if l, err := newLink(base, ref, hex); err == nil {
			out = append(out, l)
		} else if hex != "" {
			return nil, err
		}
	}
}

func attribute(t html.Token, key string) string {
	for _, a := range t.Attr {
		if a.Key == key {
			return strings.TrimSpace(a.Val)
		}
	}
	return ""
}

func newLink(base *url.URL, ref, hex string) (link, error) {
	u, err := base.Parse(ref)
	if err != nil {
		return link{}, err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return link{}, errors.New("its address is not one of http or https")
	}
	if base.Scheme == "https" && u.Scheme != "https" {
		return link{}, fmt.Errorf("a page that came by https leads to %s", u.Redacted())
	}
	u.Fragment = ""
	if u.User == nil && u.Host == base.Host {
		u.User = base.User
	}
	l := link{file: path.Base(u.Path), url: u}
	if hex != "" {
		if l.digest, err = store.ParseDigest(strings.ToLower(hex)); err != nil {
			return link{}, err
		}
	}
	return l, nil
}

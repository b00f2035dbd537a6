package pypi

import (
	"net/url"
	"strings"
	"testing"
)

func TestRequirements(t *testing.T) {
	for s, want := range map[string]string{
		"pyspark==3.5.6":        "pyspark-3.5.6.tar.gz pkg:pypi/pyspark@3.5.6",
		"Zope.Interface==7.2":   "zope_interface-7.2.tar.gz pkg:pypi/zope-interface@7.2",
		"a--b_c==1.0rc1.post2":  "a_b_c-1.0rc1.post2.tar.gz pkg:pypi/a-b-c@1.0rc1.post2",
		"azkaban==0.9.14.dev12": "azkaban-0.9.14.dev12.tar.gz pkg:pypi/azkaban@0.9.14.dev12",
	} {
		r, err := Parse(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if got := r.File() + " " + r.Purl(); got != want || r.String() != s {
			t.Errorf("%s: got %s, %s", s, got, r)
		}
		if v := r.version(r.File()); v != r.Version {
			t.Errorf("%s: its own file has version %q", s, v)
		}
	}
	for s, hint := range map[string]string{
		"": "want NAME==VERSION", "pyspark": "want NAME==VERSION", "pyspark=3.5.6": `did you mean "pyspark==3.5.6"?`,
		"pyspark>=3.5.6": `did you mean "pyspark==3.5.6"?`, "pyspark~=3.5": "another version tomorrow", "pyspark === 3.5": `did you mean "pyspark==3.5"?`,
		"pyspark==3.5.*": `"3.5.*" is not a version`, "pyspark==v3.5": "is not a version", "pyspark==1!3.5": "is not a version",
		"-a==1": "want NAME==VERSION", "../a==1": "want NAME==VERSION", "a==../1": "is not a version", "a[sql]==1": "want NAME==VERSION",
	} {
		if r, err := Parse(s); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%q: got %v, %v, want %s", s, r, err, hint)
		}
	}
}

func TestConfig(t *testing.T) {
	got, err := parseConfig("WARNING: old\n:env:.index-url='http://e/'\nglobal.index-url='http://g/'\nglobal.proxy=\"it's\"\n" +
		"download.extra_index_url='\\nhttp://a/\\nhttp://b/'\ninstall.cert='/no'\n")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"index-url": "http://e/", "proxy": "it's", "extra-index-url": "\nhttp://a/\nhttp://b/", "cert": ""} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	for _, bad := range []string{"global.a=b", `global.a='b`, `global.a='\x41'`, `global.a='\'`} {
		if got, err := parseConfig(bad); err == nil {
			t.Errorf("%s is taken: %v", bad, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("pyspark==3.5.6")
	f.Add("A.b_c==1.0a1.dev2")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s)
		if err != nil {
			return
		}
		if again, err := Parse(r.String()); err != nil || again != r || strings.ContainsAny(r.File(), "/\x00") {
			t.Errorf("%q: %+v, again %+v (%v), file %q", s, r, again, err, r.File())
		}
	})
}

func FuzzPage(f *testing.F) {
	f.Add("text/html", `<a href="../x-1.tar.gz#sha256=`+strings.Repeat("0", 64)+`">x</a>`)
	f.Add("application/vnd.pypi.simple.v1+json", `{"meta": {"api-version": "1.0"}, "files": [{"filename": "x-1.tar.gz", "url": "/x", "hashes": {"sha256": "00"}}]}`)
	base, err := url.Parse("https://user:secret@index.invalid/simple/x/")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, mediaType, text string) {
		links, err := parsePage([]byte(text), mediaType, base)
		if err != nil {
			if strings.Contains(err.Error(), "secret") && !strings.Contains(text+mediaType, "secret") {
				t.Errorf("the password is in %v", err)
			}
			return
		}
		for _, l := range links {
			if l.url.Scheme != "https" || l.url.Host != base.Host && l.url.User != nil && l.url.User.String() == base.User.String() {
				t.Errorf("link to %s", l.url)
			}
		}
	})
}

func FuzzConfig(f *testing.F) {
	f.Add("global.index-url='http://u:p@h/simple'\n:env:.proxy=\"x'y\\\\\"")
	f.Fuzz(func(t *testing.T, s string) {
		values, err := parseConfig(s)
		for key, value := range values {
			if err != nil || len(key)+len(value) > len(s) {
				t.Errorf("%q: %q=%q, %v", s, key, value, err)
			}
		}
		_ = defaultIndex(s)
	})
}

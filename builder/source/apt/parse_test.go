package apt

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseEntries(t *testing.T) {
	tests := []struct {
		name, text string
		parse      func(string) ([]entry, error)
		want       []string // "uris suites"
		err        string
	}{
		{
			name: "one line", parse: parseOneLine,
			text: "# comment\ndeb http://a.invalid/debian bookworm main contrib # tail\n" +
				"deb-src http://a.invalid/debian bookworm main\n" +
				"deb [arch=amd64 signed-by=/k.gpg] http://b.invalid/sec bookworm-security main\n" +
				"deb [ trusted=yes ] http://flat.invalid/ ./\n" +
				"deb cdrom:[Debian 12 _Bookworm_]/ bookworm main\n\n",
			want: []string{"[http://a.invalid/debian] [bookworm]", "[http://b.invalid/sec] [bookworm-security]"},
		},
		{name: "open bracket", parse: parseOneLine, text: "\ndeb [arch=amd64 http://a.invalid x main\n", err: "2: options without a closing ]"},
		{name: "no suite", parse: parseOneLine, text: "deb http://a.invalid\n", err: "1: want deb URI SUITE"},
		{
			name: "deb822", parse: parseDeb822,
			text: "Types: deb deb-src\n# comment inside\nURIs: http://a.invalid/debian\n http://b.invalid/debian\nSuites: bookworm bookworm-updates\nComponents: main\n" +
				"Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n   \n" +
				"Types: deb\nEnabled: no\nURIs: http://off.invalid\nSuites: x\n\n" +
				"types: deb\nuris: http://c.invalid\nsuites: flat/ y\n",
			want: []string{"[http://a.invalid/debian http://b.invalid/debian] [bookworm bookworm-updates]", "[http://c.invalid] [y]"},
		},
		{name: "deb822 no colon", parse: parseDeb822, text: "Types: deb\nfoo\n", err: "entry 1: line \"foo\" is not of the form"},
		{name: "deb822 twice", parse: parseDeb822, text: "Types: deb\nTypes: deb\n", err: "field Types stands there twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.parse(tt.text)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var s []string
			for _, e := range got {
				s = append(s, "["+strings.Join(e.URIs, " ")+"] ["+strings.Join(e.Suites, " ")+"]")
			}
			if !slices.Equal(s, tt.want) {
				t.Errorf("got %q, want %q", s, tt.want)
			}
		})
	}
}

const inRelease = `-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA512

Origin: Debian
Label: Debian
Suite: oldstable
Version: 12.11
Codename: bookworm
Date: Sat, 17 May 2025 09:06:14 UTC
MD5Sum:
 0ed6d4c8891eb86358b94bb35d9e4da4  1484322 contrib/Contents-all
-----BEGIN PGP SIGNATURE-----

abc
-----END PGP SIGNATURE-----
`

func TestParseRelease(t *testing.T) {
	want := Release{
		Origin: "Debian", Label: "Debian", Suite: "oldstable", Codename: "bookworm", Version: "12.11",
		Date: time.Date(2025, 5, 17, 9, 6, 14, 0, time.UTC),
	}
	_, plain, _ := strings.Cut(inRelease, "\n\n")
	plain, _, _ = strings.Cut(plain, "-----")
	for name, text := range map[string]string{"InRelease": inRelease, "Release": plain, "CRLF": strings.ReplaceAll(inRelease, "\n", "\r\n")} {
		if got, err := parseRelease(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := parseRelease("Origin: Debian\nDate: yesterday\n"); err == nil || !strings.Contains(err.Error(), `date "yesterday"`) {
		t.Errorf("bad date: %v", err)
	}
}

func TestListPrefix(t *testing.T) {
	// As URItoFileName of apt 2.6.1 makes them.
	for uri, want := range map[string]string{
		"http://a.invalid/debian":          "a.invalid_debian",
		"http://a.invalid/debian/":         "a.invalid_debian",
		"https://u:p@a.invalid:8080/x_y/z": "a.invalid:8080_x%5fy_z",
		"file:/srv/archive":                "_srv_archive",
	} {
		if got := listPrefix(uri); got != want {
			t.Errorf("%s: %s, want %s", uri, got, want)
		}
	}
}

func TestPackageRefuses(t *testing.T) {
	good := paragraph{
		"Package": "a-b", "Version": "1:1", "Architecture": "amd64", "Size": "5", "Filename": "pool/a.deb",
		"SHA256": strings.Repeat("0", 64),
	}
	if _, err := indexed(good); err != nil {
		t.Fatal(err)
	}
	for key, values := range map[string][]string{
		"Package":  {"", "A", "../x", "a b"},
		"Version":  {"", "1 2", "1/2"},
		"Size":     {"", "-1", "x", "0"},
		"SHA256":   {"", "abc"},
		"Filename": {"", "/etc/passwd", "pool/../../x", "pool//x", "pool/x y", "./x", "pool/\nx"},
	} {
		for _, v := range values {
			p := paragraph{}
			for k, x := range good {
				p[k] = x
			}
			p[key] = v
			if _, err := indexed(p); err == nil {
				t.Errorf("%s: %q is taken", key, v)
			}
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"zookeper", "zookeeper", 1}, {"kitten", "sitting", 3}} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%s %s: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func FuzzControl(f *testing.F) {
	f.Add("Package: a\nVersion: 1\nDescription: x\n y\n .\n\nPackage: b\n")
	f.Add("# c\n\n\n\nA: b\r\n")
	f.Add(inRelease)
	f.Fuzz(func(t *testing.T, text string) {
		total := 0
		err := eachParagraph(strings.NewReader(text), func(b []byte) error {
			total += len(b)
			p, err := parseParagraph(b)
			if err != nil {
				return nil
			}
			for k, v := range p {
				if k == "" || p.get(strings.ToUpper(k)) == "" && v != "" {
					t.Errorf("field %q is lost", k)
				}
			}
			if pkg, err := indexed(p); err == nil && (strings.Contains(pkg.Filename, "..") && checkPool(pkg.Filename) != nil || pkg.Size <= 0) {
				t.Errorf("taken: %+v", pkg)
			}
			return nil
		})
		if err != nil || total > len(text) {
			t.Errorf("%v, %d of %d bytes", err, total, len(text))
		}
		if r, err := parseRelease(text); err == nil && r.Date.IsZero() {
			t.Error("a Release without a date")
		}
	})
}

func FuzzPlan(f *testing.F) {
	f.Add("The following NEW packages will be installed:\n  a b:i386\n'http://archive.invalid/debian/pool/a_1%3a2.deb' a.deb 12 SHA256:00\n")
	f.Add("\rReading... 0%\rNote, selecting 'a' instead of 'b'\nThe following packages will be REMOVED:\n  x*\n")
	s := &Snapshot{Archives: []Archive{{Name: "debian"}}}
	f.Fuzz(func(t *testing.T, out string) {
		p, err := parsePlan(out)
		if err != nil {
			return
		}
		for _, u := range p.uris {
			if f, err := s.poolFile(u.uri); err == nil && f.archive != "" && !strings.HasPrefix(u.uri, "http://archive.invalid/debian/") {
				t.Errorf("%q is taken for the archive's", u.uri)
			}
		}
	})
}

func FuzzEntries(f *testing.F) {
	f.Add("deb [a=b] http://a.invalid/x y main\n")
	f.Add("Types: deb\nURIs: a b\nSuites: c d/\n\nEnabled: no\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string) ([]entry, error){parseOneLine, parseDeb822} {
			entries, err := parse(text)
			if err != nil {
				continue
			}
			for _, e := range entries {
				for _, s := range append(e.URIs, e.Suites...) {
					if s == "" || strings.ContainsAny(s, " \t\n") {
						t.Errorf("%q", s)
					}
				}
			}
		}
	})
}

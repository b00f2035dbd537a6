package publish_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/publish"
)

const header = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: x\n"

func TestParseCopyright(t *testing.T) {
	files := func(licences ...string) string {
		var b strings.Builder
		b.WriteString(header)
		for _, l := range licences {
			b.WriteString("\nFiles: *\nCopyright: 2025 A\nLicense: " + l + "\n")
		}
		return b.String()
	}
	ref := func(id, name, text string) publish.Extracted {
		return publish.Extracted{ID: "LicenseRef-x-" + id, Name: name, Text: text}
	}
	tests := []struct {
		name, content, want string
		refs                []publish.Extracted
		err                 string
	}{
		{name: "one", content: files("GPL-2+"), want: "GPL-2.0-or-later"},
		{name: "names and their case", content: files("expat", "BSD-3-Clause", "ZLIB", "CC0"), want: "BSD-3-Clause AND CC0-1.0 AND MIT AND Zlib"},
		{name: "trailing zeros", content: files("Apache-2", "GPL-2.0", "LGPL-3.0+", "MPL-2.0"), want: "Apache-2.0 AND GPL-2.0-only AND LGPL-3.0-or-later AND MPL-2.0"},
		{name: "names of SPDX", content: files("GPL-2.0-only", "LGPL-2.1-or-later"), want: "GPL-2.0-only AND LGPL-2.1-or-later"},
		{name: "twice, in another order", content: files("GPL-2+ or Expat", "Expat or GPL-2+", "Expat"), want: "(GPL-2.0-or-later OR MIT) AND MIT"},
		{name: "and binds tighter", content: files("GPL-2 or Expat and ISC"), want: "GPL-2.0-only OR (ISC AND MIT)"},
		{name: "a comma binds less", content: files("GPL-2 or Expat, and ISC"), want: "(GPL-2.0-only OR MIT) AND ISC"},
		{name: "exceptions", content: files("GPL-2 with Classpath exception", "Apache-2.0 with LLVM exception"), want: "Apache-2.0 WITH LLVM-exception AND GPL-2.0-only WITH Classpath-exception-2.0"},
		{
			name:    "a standalone paragraph has the text",
			content: files("Artistic or GPL-1+") + "\nLicense: Artistic\n First line.\n .\n  Second.\n",
			want:    "GPL-1.0-or-later OR LicenseRef-x-Artistic", refs: []publish.Extracted{ref("Artistic", "Artistic", "First line.\n\n Second.")},
		},
		{
			name: "the paragraph itself has the text", content: files("public-domain\n Nobody owns it."),
			want: "LicenseRef-x-public-domain", refs: []publish.Extracted{ref("public-domain", "public-domain", "Nobody owns it.")},
		},
		{
			name: "an exception that SPDX has not", content: files("GPL-2+ with OpenSSL exception"),
			want: "LicenseRef-x-GPL-2-plus-with-OpenSSL-exception", refs: []publish.Extracted{ref("GPL-2-plus-with-OpenSSL-exception", "GPL-2+ with OpenSSL exception", "GPL-2+ with OpenSSL exception")},
		},
		{
			name: "MIT is not one text", content: files("MIT"), want: "LicenseRef-x-MIT", refs: []publish.Extracted{ref("MIT", "MIT", "MIT")},
		},
		{
			name: "a text in the name's place", content: files("Permission is granted, to all\n of you."),
			want: "LicenseRef-x-text-cdae1689", refs: []publish.Extracted{ref("text-cdae1689", "Permission is granted, to all", "of you.")},
		},
		{
			name: "and/or is not for us to read", content: files("ISC and/or Expat"),
			want: "LicenseRef-x-text-005370d9", refs: []publish.Extracted{ref("text-005370d9", "ISC and/or Expat", "ISC and/or Expat")},
		},
		{name: "only the header has one", content: header + "License: ISC\n", want: "ISC"},
		{name: "the header's does not count beside others", content: header + "License: ISC\n\nFiles: *\nLicense: Expat\n", want: "MIT"},
		{name: "no licence", content: header, err: "machine-readable"},
		{name: "empty", content: "", err: "machine-readable"},
		{name: "prose", content: "This package was made by A.\n", err: "line 1 is no field"},
		{name: "another format", content: "Format-Specification: x\n\nFiles: *\nLicense: ISC\n", err: "machine-readable"},
		{name: "a field twice", content: files("ISC\nLicense: Expat"), err: "License stands twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, refs, err := publish.ParseCopyright([]byte(tt.content), "x")
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
			if diff := cmp.Diff(tt.refs, refs); diff != "" {
				t.Errorf("references (-want +got):\n%s", diff)
			}
		})
	}
}

// expressionRE is what an SPDX expression is made of.
var (
	operandRE    = regexp.MustCompile(`[A-Za-z0-9.-]+`)
	expressionRE = regexp.MustCompile(`^[A-Za-z0-9.-]+([ ()]+[A-Za-z0-9.-]+)*\)?$`)
)

// checkExpression fails unless the expression is well formed and each reference in it has a text.
func checkExpression(t *testing.T, expression string, refs []publish.Extracted) {
	t.Helper()
	if !expressionRE.MatchString(strings.TrimLeft(expression, "(")) || strings.Count(expression, "(") != strings.Count(expression, ")") {
		t.Errorf("%q is no SPDX expression", expression)
	}
	var ids []string
	for _, r := range refs {
		ids = append(ids, r.ID)
		if r.Text == "" || r.Name == "" || len(r.Text) > 70<<10 {
			t.Errorf("reference %s: name %q, a text of %d bytes", r.ID, r.Name, len(r.Text))
		}
	}
	for _, id := range operandRE.FindAllString(expression, -1) {
		if strings.HasPrefix(id, "LicenseRef") && !slices.Contains(ids, id) {
			t.Errorf("%s stands in %q and has no text", id, expression)
		}
	}
}

// TestCopyrightOfThisMachine reads what Debian's packages really say.
func TestCopyrightOfThisMachine(t *testing.T) {
	names, err := filepath.Glob("/usr/share/doc/*/copyright")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		expression, refs, err := publish.ParseCopyright(content, filepath.Base(filepath.Dir(name)))
		if err == nil {
			read++
			checkExpression(t, expression, refs)
		}
	}
	if read < len(names)/2 || read == 0 {
		if _, err := os.Stat("/etc/debian_version"); err != nil && os.Getenv("CI") != "true" {
			t.Skip("not a Debian machine")
		}
		t.Errorf("%d of %d copyright files could be read; more than half of Debian's can be", read, len(names))
	}
}

func FuzzParseCopyright(f *testing.F) {
	for _, s := range []string{"", header, header + "\nFiles: *\nLicense: GPL-2+ or Artistic, and Expat\n text\n",
		header + "\nFiles: *\nLicense: A with B exception\n\nLicense: A with B exception\n .\n x\n", header + "\nFiles: *\nLicense: \n or and , x\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		expression, refs, err := publish.ParseCopyright(content, "x")
		if err == nil {
			checkExpression(t, expression, refs)
		}
		again, _, _ := publish.ParseCopyright(content, "x")
		if again != expression {
			t.Errorf("%q, then %q", expression, again)
		}
	})
}

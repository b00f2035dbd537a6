package deb

import (
	"fmt"
	"sort"
	"strings"
)

// Work is one body of work in a package, for its copyright file.
type Work struct {
	// Files is the DEP-5 pattern: "*" for the whole package.
	Files string
	// Holders are the copyright lines, years first.
	Holders []string
	// Licence is an SPDX identifier whose text Debian ships: see commonLicences.
	Licence string
}

// commonLicences maps SPDX identifiers to DEP-5 short names and the files of base-files.
var commonLicences = map[string][2]string{
	"Apache-2.0":        {"Apache-2.0", "Apache-2.0"},
	"GPL-2.0-only":      {"GPL-2", "GPL-2"},
	"GPL-2.0-or-later":  {"GPL-2+", "GPL-2"},
	"GPL-3.0-only":      {"GPL-3", "GPL-3"},
	"GPL-3.0-or-later":  {"GPL-3+", "GPL-3"},
	"LGPL-2.1-only":     {"LGPL-2.1", "LGPL-2.1"},
	"LGPL-2.1-or-later": {"LGPL-2.1+", "LGPL-2.1"},
	"MPL-2.0":           {"MPL-2.0", "MPL-2.0"},
}

// Copyright writes a machine-readable copyright file (DEP-5 1.0). name and source are the
// upstream's; the works must say all that is in the package, "*" first.
func Copyright(name, source string, works ...Work) (string, error) {
	var b strings.Builder
	b.WriteString("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n")
	fmt.Fprintf(&b, "Upstream-Name: %s\nSource: %s\n", name, source)
	used := map[string]string{}
	for _, w := range works {
		licence, ok := commonLicences[w.Licence]
		if !ok {
			return "", fmt.Errorf("copyright of %s: no text for the licence %q: known are %s; write the whole "+
				"copyright text for another", name, w.Licence, strings.Join(knownLicences(), ", "))
		}
		if len(w.Holders) == 0 || w.Files == "" {
			return "", fmt.Errorf("copyright of %s: %q has no copyright holders", name, w.Files)
		}
		used[licence[0]] = licence[1]
		fmt.Fprintf(&b, "\nFiles: %s\nCopyright: %s\nLicense: %s\n", w.Files, strings.Join(w.Holders, "\n           "), licence[0])
	}
	short := make([]string, 0, len(used))
	for name := range used {
		short = append(short, name)
	}
	sort.Strings(short)
	for _, name := range short {
		fmt.Fprintf(&b, "\nLicense: %s\n On Debian systems, the full text of this licence can be found in the file\n"+
			" /usr/share/common-licenses/%s.\n", name, used[name])
	}
	return b.String(), nil
}

func knownLicences() []string {
	out := make([]string, 0, len(commonLicences))
	for id := range commonLicences {
		out = append(out, id)
	}
	sort.Strings(out)
	return out
}

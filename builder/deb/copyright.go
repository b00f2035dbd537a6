package deb

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Work is one body of work in a package, for its copyright file.
type Work struct {
	// Files is the DEP-5 pattern: "*" for the whole package.
	Files string
	// Holders are the copyright lines, years first.
	Holders []string
	// Licence is an SPDX identifier: see commonLicences and otherLicences.
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

// otherLicences maps SPDX identifiers to DEP-5 short names; what the copyright file says of them
// lies in licences/, by identifier.
var otherLicences = map[string]string{
	"BSD-2-Clause": "BSD-2-clause", "BSD-3-Clause": "BSD-3-clause", "CDDL-1.0": "CDDL-1.0", "CDDL-1.1": "CDDL-1.1", "EPL-1.0": "EPL-1.0", "MIT": "Expat",
	"GPL-2.0-only WITH Universal-FOSS-exception-1.0": "GPL-2 with Universal-FOSS-1.0 exception",
}

//go:embed licences
var licenceTexts embed.FS

// licence returns the DEP-5 short name of an SPDX identifier and the text of its paragraph.
func licence(id string) (name, text string, err error) {
	if common, ok := commonLicences[id]; ok {
		return common[0], "On Debian systems, the full text of this licence can be found in the file\n/usr/share/common-licenses/" + common[1] + ".", nil
	}
	if name, ok := otherLicences[id]; ok {
		text, err := licenceTexts.ReadFile("licences/" + id)
		return name, strings.TrimSpace(string(text)), err
	}
	return "", "", fmt.Errorf("no text for the licence %q: known are %s; write the whole copyright text for another", id, strings.Join(knownLicences(), ", "))
}

// Copyright writes a machine-readable copyright file (DEP-5 1.0). name and source are the
// upstream's; the works must say all that is in the package, "*" first.
func Copyright(name, source string, works ...Work) (string, error) {
	var b strings.Builder
	b.WriteString("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n")
	fmt.Fprintf(&b, "Upstream-Name: %s\nSource: %s\n", name, source)
	used := map[string]string{}
	for _, w := range works {
		short, text, err := licence(w.Licence)
		if err != nil {
			return "", fmt.Errorf("copyright of %s: %w", name, err)
		}
		if len(w.Holders) == 0 || w.Files == "" {
			return "", fmt.Errorf("copyright of %s: %q has no copyright holders", name, w.Files)
		}
		used[short] = text
		fmt.Fprintf(&b, "\nFiles: %s\nCopyright: %s\nLicense: %s\n", w.Files, strings.Join(w.Holders, "\n           "), short)
	}
	for _, short := range slices.Sorted(maps.Keys(used)) {
		text := strings.ReplaceAll(used[short], "\n\n", "\n.\n")
		fmt.Fprintf(&b, "\nLicense: %s\n %s\n", short, strings.ReplaceAll(text, "\n", "\n "))
	}
	return b.String(), nil
}

func knownLicences() []string {
	ids := slices.Concat(slices.Collect(maps.Keys(commonLicences)), slices.Collect(maps.Keys(otherLicences)))
	slices.Sort(ids)
	return ids
}

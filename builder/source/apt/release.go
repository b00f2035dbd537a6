package apt

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Release is what the head of a suite's Release file says.
type Release struct {
	Origin   string    `json:"origin"`
	Label    string    `json:"label"`
	Suite    string    `json:"suite"` // "oldstable"
	Codename string    `json:"codename"`
	Version  string    `json:"version,omitempty"` // "12.11"
	Date     time.Time `json:"date"`
}

// maxRelease bounds a Release file, in bytes.
const maxRelease = 2 << 20

// readBounded reads a small text file.
func readBounded(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRelease+1))
	if err == nil && len(b) > maxRelease {
		err = fmt.Errorf("%s: longer than %d bytes", name, maxRelease)
	}
	return string(b), err
}

func readRelease(name string) (Release, error) {
	text, err := readBounded(name)
	if err != nil {
		return Release{}, err
	}
	r, err := parseRelease(text)
	if err != nil {
		return Release{}, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

// parseRelease reads a Release or InRelease file (the signature's armour is skipped: apt has
// checked it).
func parseRelease(text string) (Release, error) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if _, after, ok := strings.Cut(text, "-----BEGIN PGP SIGNED MESSAGE-----\n"); ok {
		// The armour's own headers (Hash: SHA512) end at an empty line.
		if _, text, ok = strings.Cut(after, "\n\n"); !ok {
			return Release{}, errors.New("the signed message has no text")
		}
	}
	text, _, _ = strings.Cut(text, "-----BEGIN PGP SIGNATURE-----")
	text, _, _ = strings.Cut(text, "\n\n")
	p, err := parseParagraph([]byte(text))
	if err != nil {
		return Release{}, err
	}
	r := Release{
		Origin: p.get("Origin"), Label: p.get("Label"), Suite: p.get("Suite"),
		Codename: p.get("Codename"), Version: p.get("Version"),
	}
	// Date is RFC 1123 with the zone written as UTC.
	date := strings.TrimSuffix(p.get("Date"), " UTC")
	if r.Date, err = time.Parse("Mon, _2 Jan 2006 15:04:05", date); err != nil {
		return Release{}, fmt.Errorf("date %q: %w", p.get("Date"), err)
	}
	return r, nil
}

package main

import (
	"testing"
	"time"
)

func TestParseAge(t *testing.T) {
	for in, want := range map[string]time.Duration{"30d": 720 * time.Hour, "0d": 0, "12h": 12 * time.Hour, "0": 0} {
		if got, err := parseAge(in); got != want || err != nil {
			t.Errorf("parseAge(%q) = %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "d", "-1d", "30", "-2h", "1.5d", "99999999d"} {
		if got, err := parseAge(in); err == nil {
			t.Errorf("parseAge(%q) = %s; want an error", in, got)
		}
	}
}

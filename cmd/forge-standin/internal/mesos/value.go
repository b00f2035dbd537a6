package mesos

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//lint:file-ignore ST1005 the texts are those of the real daemon

// normalise checks a value against its kind and returns the form that the daemon reports.
func normalise(k flagKind, v string) (string, error) {
	switch k {
	case kindBool:
		switch v {
		case "true", "1":
			return "true", nil
		case "false", "0":
			return "false", nil
		}
		return "", fmt.Errorf("Expecting a boolean (e.g., true or false)")
	case kindUint, kindPort:
		bits := 64
		if k == kindPort {
			bits = 16
		}
		if _, err := strconv.ParseUint(v, 10, bits); err != nil {
			return "", fmt.Errorf("Failed to convert '%s' to number", v)
		}
	case kindDouble:
		if _, err := strconv.ParseFloat(v, 64); err != nil {
			return "", fmt.Errorf("Failed to convert '%s' to number", v)
		}
	case kindDuration:
		if _, err := parseDuration(v); err != nil {
			return "", err
		}
	case kindBytes:
		if !bytesForm.MatchString(v) {
			return "", fmt.Errorf("Unknown bytes unit in '%s'", v)
		}
	case kindJSON:
		if !json.Valid([]byte(v)) {
			return "", fmt.Errorf("syntax error in JSON")
		}
	}
	return v, nil
}

var bytesForm = regexp.MustCompile(`^[0-9]+(B|KB|MB|GB|TB)$`)

var durationForm = regexp.MustCompile(`^([0-9]*\.?[0-9]+)([a-z]*)$`)

var durationUnits = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "ms": time.Millisecond, "secs": time.Second,
	"mins": time.Minute, "hrs": time.Hour, "days": 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
}

// parseDuration reads stout's form: a number and ns, us, ms, secs, mins, hrs, days or weeks.
func parseDuration(s string) (time.Duration, error) {
	m := durationForm.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("Invalid duration '%s'", s)
	}
	unit, ok := durationUnits[m[2]]
	if !ok {
		return 0, fmt.Errorf("Unknown duration unit '%s'", m[2])
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, fmt.Errorf("Invalid duration '%s'", s)
	}
	d := n * float64(unit)
	if d > float64(1<<62) {
		return 0, fmt.Errorf("Argument out of the range that a Duration can represent: '%s'", s)
	}
	return time.Duration(d), nil
}

// Duration returns a flag of that kind; 0 when it has no value.
func (f *Flags) Duration(name string) time.Duration {
	d, _ := parseDuration(f.values[name]) // checked while loading
	return d
}

// hostPort splits the host:port form; "" and a reason when it is none.
func hostPort(s string) (host string, port int, err error) {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 {
		return "", 0, fmt.Errorf("'%s' has no port", s)
	}
	p, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil || p == 0 {
		return "", 0, fmt.Errorf("'%s' is not a port", s[i+1:])
	}
	host = s[:i]
	if !hostForm.MatchString(host) {
		return "", 0, fmt.Errorf("'%s' is not a host", host)
	}
	return host, int(p), nil
}

var hostForm = regexp.MustCompile(`^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)$`)

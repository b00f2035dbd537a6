package report

import (
	"fmt"
	"time"
)

// Size writes a number of bytes for people: "940 B", "12 kB", "3.4 MB", in powers of 1000 as disks and
// registries count.
func Size(n int64) string {
	const units = "kMGT"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, at := float64(n)/1000, 0
	for v >= 999.5 && at < len(units)-1 {
		v, at = v/1000, at+1
	}
	if v < 9.95 {
		return fmt.Sprintf("%.1f %cB", v, units[at])
	}
	return fmt.Sprintf("%.0f %cB", v, units[at])
}

// Took writes a time for people: "12 ms", "3.4 s", "2 min 5 s", "1 h 4 min".
func Took(d time.Duration) string {
	switch {
	case d < 999500*time.Microsecond:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	case d < 59950*time.Millisecond:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}

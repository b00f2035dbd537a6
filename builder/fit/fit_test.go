package fit

import "testing"

func TestUnfit(t *testing.T) {
	for _, c := range []struct {
		software, version, other, otherVersion string
		fits                                   bool
	}{
		{"marathon", "0.6.1", "mesos", "0.19.0", true}, {"marathon", "0.8.2", "mesos", "0.19.0", false},
		{"marathon", "0.8.1", "mesos", "0.21.1", true}, {"marathon", "0.11.0", "mesos", "0.22.0", false},
		{"marathon", "0.10.1", "mesos", "0.22.2", true}, {"marathon", "1.5.0", "mesos", "1.11.0", true},
		{"marathon", "1.4.0", "mesos", "1.11.0", false}, {"marathon", "1.3.5", "mesos", "1.0.1", true},
		{"hadoop-mesos", "0.1.0", "mesos", "0.19.0", false}, {"hadoop-mesos", "0.0.8", "mesos", "0.19.0", true},
		{"hadoop-mesos", "0.1.0", "mesos", "0.21.0", true}, {"hadoop-mesos", "0.1.0", "cdh", "5.1.2", false},
		{"hadoop-mesos", "0.1.0", "cdh", "5.2.0", true}, {"spark", "3.5.6", "mesos", "1.11.0", true},
		{"spark", "4.0.0", "mesos", "1.11.0", false}, {"spark", "1.5.1", "mesos", "0.21.0", true},
		{"marathon", "9", "mesos", "0.24.0", true}, // not known: nothing is said
	} {
		message, hint := Unfit(c.software, c.version, c.other, c.otherVersion)
		if (message == "") != c.fits || (message != "") != (hint != "") {
			t.Errorf("%+v: %q %q", c, message, hint)
		}
	}
}

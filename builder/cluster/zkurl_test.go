package cluster

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseZKURL(t *testing.T) {
	for _, c := range []struct {
		url  string
		want ZKURL
		err  string
	}{
		{"zk://10.162.2.91:2181,10.162.2.92:2181/mesos", ZKURL{"", []string{"10.162.2.91:2181", "10.162.2.92:2181"}, "/mesos"}, ""},
		{"zk://user:pa:ss@[fd00::1]:2181/a/b", ZKURL{"user:pa:ss", []string{"[fd00::1]:2181"}, "/a/b"}, ""},
		{"zk:10.162.2.91:2181/mesos", ZKURL{}, "does not begin with zk://"},
		{"10.162.2.91:2181/mesos", ZKURL{}, "does not begin with zk://"},
		{"zk://10.162.2.91:2181，10.162.2.92:2181/mesos", ZKURL{}, `full-width comma "，" (U+FF0C)`},
		{"zk://10.162.2.91:2181", ZKURL{}, "has no path"},
		{"zk://10.162.2.91:2181/", ZKURL{}, "its path is /, which Mesos refuses"},
		{"zk://10.162.2.91:2181/a//b", ZKURL{}, "is not a znode"},
		{"zk://10.162.2.91:2181/../b", ZKURL{}, "is not a znode"},
		{"zk://10.162.2.91/mesos", ZKURL{}, `"10.162.2.91" is not host:port`},
		{"zk://10.162.2.91:0/mesos", ZKURL{}, "has no port from 1 to 65535"},
		{"zk://10.162.2.91:02181/mesos", ZKURL{}, "has no port from 1 to 65535"},
		{"zk://a_b:2181/mesos", ZKURL{}, "neither a host name nor an address"},
		{"zk://a:1,a:1/mesos", ZKURL{}, "twice"},
		{"zk://a:1, b:1/mesos", ZKURL{}, "a space"},
		{"zk://user@a:1/mesos", ZKURL{}, "not user:password"},
		{"zk://" + strings.Repeat("a", maxZKURL), ZKURL{}, "longer than"},
		{"zk://" + strings.Repeat("a:1,", 64) + "b:1/m", ZKURL{}, "more than 64 servers"},
	} {
		got, err := ParseZKURL(c.url)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%.80s: error %v; want %q", c.url, err, c.err)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" || got.String() != c.url {
			t.Errorf("%s: %v %s %s", c.url, err, got, diff)
		}
	}
}

func TestMendZKURL(t *testing.T) {
	want := "zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos"
	for _, url := range []string{
		"zk:10.162.2.91:2181，10.162.2.92:2181，10.162.2.93:2181/mesos",
		"zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/Mesos",
		"zk：//10.162.2.91：2181、10.162.2.92:2181,10.162.2.93:2181／mesos",
		"zk:/10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos",
	} {
		if got, ok := MendZKURL(url); !ok || got != want {
			t.Errorf("%s: %q, %v", url, got, ok)
		}
	}
	if got, ok := MendZKURL("zk://10.162.2.91:2181/"); ok {
		t.Errorf("the root became %q", got)
	}
}

// FuzzZKURL: what is parsed is written again as it was, and read the same.
func FuzzZKURL(f *testing.F) {
	f.Add("zk://10.162.2.91:2181,10.162.2.92:2181/mesos")
	f.Add("zk://user:password@[fd00::1]:2181/a/b")
	f.Add("zk:10.162.2.91:2181，10.162.2.92:2181/Mesos")
	f.Fuzz(func(t *testing.T, text string) {
		if u, err := ParseZKURL(text); err == nil {
			if u.String() != text || len(u.Servers) == 0 || !strings.HasPrefix(u.Path, "/") || u.Path == "/" {
				t.Errorf("%q became %q", text, u)
			}
		}
		mended, ok := MendZKURL(text)
		if !ok {
			return
		}
		if _, err := ParseZKURL(mended); err != nil {
			t.Errorf("%q was mended to %q: %v", text, mended, err)
		}
		if again, ok := MendZKURL(mended); !ok || again != mended {
			t.Errorf("%q was mended to %q", mended, again)
		}
		CheckText(text)
	})
}

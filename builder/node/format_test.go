package node

import (
	"encoding/xml"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHadoopXMLReadsBack(t *testing.T) {
	settings := map[string]string{"b": "x, <y> & \"z\"", "a.b": "$${user}", "empty": "", "lines": "1\n2"}
	data, err := hadoopXML(settings)
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		XMLName  xml.Name `xml:"configuration"`
		Property []struct {
			Name  string `xml:"name"`
			Value string `xml:"value"`
		} `xml:"property"`
	}
	if err := xml.Unmarshal(data, &back); err != nil {
		t.Fatalf("%v in:\n%s", err, data)
	}
	var names []string
	got := map[string]string{}
	for _, p := range back.Property {
		names = append(names, p.Name)
		got[p.Name] = p.Value
	}
	if diff := cmp.Diff(settings, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a.b", "b", "empty", "lines"}, names); diff != "" {
		t.Errorf("order:\n%s", diff)
	}
}

func TestEnvReadsBackInAShell(t *testing.T) {
	values := []string{"plain", "with space", `a"b'c`, "$HOME `id` \\n", "", "#x; y & z", "tab\there", "*"}
	settings := map[string]string{}
	for i, v := range values {
		settings[fmt.Sprintf("V%d", i)] = v
	}
	data, err := env(settings)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range values {
		script := string(data) + fmt.Sprintf("\nprintf %%s \"$V%d\"", i)
		got, err := exec.Command("sh", "-c", script).Output()
		if err != nil || string(got) != want {
			t.Errorf("%q reads back as %q, error %v", want, got, err)
		}
	}
}

func TestExportsReachAProgram(t *testing.T) {
	data, err := exports(map[string]string{"FORGE_TEST": `a "b" $c`})
	if err != nil {
		t.Fatal(err)
	}
	got, err := exec.Command("sh", "-c", string(data)+`sh -c 'printf %s "$FORGE_TEST"'`).Output()
	if err != nil || string(got) != `a "b" $c` {
		t.Errorf("a program sees %q, error %v", got, err)
	}
}

func TestPropertiesEscapes(t *testing.T) {
	data, err := properties(map[string]string{"a b": " x=1", "k:=": `c:\d`, "#k": "l1\nl2", "n": "ü𝄞"})
	if err != nil {
		t.Fatal(err)
	}
	want := "# " + header + "\n\\#k=l1\\nl2\na\\ b=\\ x=1\nk\\:\\==c:\\\\d\nn=\\u00fc\\ud834\\udd1e\n"
	if string(data) != want {
		t.Errorf("got %q, want %q", data, want)
	}
}

func FuzzFormats(f *testing.F) {
	f.Add("name", "value")
	f.Add("PATH", "a\"b$c`d\\e")
	f.Add("x", "<>&\x00\ufffd")
	f.Fuzz(func(t *testing.T, name, value string) {
		settings := map[string]string{name: value}
		if data, err := hadoopXML(settings); err == nil {
			var back struct {
				Property []struct {
					Name  string `xml:"name"`
					Value string `xml:"value"`
				} `xml:"property"`
			}
			if err := xml.Unmarshal(data, &back); err != nil || len(back.Property) != 1 || back.Property[0].Value != value || back.Property[0].Name != name {
				t.Errorf("XML: %v, %q", err, data)
			}
		}
		if data, err := env(settings); err == nil && strings.Count(string(data), "\n") != 2 {
			t.Errorf("environment: %q", data)
		}
		if data, err := exports(settings); err == nil && (strings.Count(string(data), "\n") != 2 || !strings.Contains(string(data), "\nexport "+name+"=\"")) {
			t.Errorf("exports: %q", data)
		}
		if data, err := properties(settings); err == nil && strings.Count(string(data), "\n") != 2 {
			t.Errorf("properties: %q", data)
		}
		if files, err := flags("/etc/x", settings); err == nil {
			for path := range files {
				if strings.Contains(strings.TrimPrefix(path, "/etc/x/"), "/") {
					t.Errorf("flag file %q", path)
				}
			}
		}
	})
}

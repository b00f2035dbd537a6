package report_test

import (
	"encoding/json"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// probe runs in the page and leaves what it sees in an element that the test reads.
const probe = `<script>
for (const d of document.querySelectorAll("details")) d.open = true;
const count = s => document.querySelectorAll(s).length;
const drawn = s => [...document.querySelectorAll(s)].filter(e => e.getBoundingClientRect().width > 0).length;
const width = document.documentElement.clientWidth;
const seen = {
  Title: document.title, Scripts: count("script"), Images: count("img"),
  Ran: count(".step.miss"), Bars: drawn(".step.miss .track i"), Hits: count(".step.hit"),
  Packages: count("tr.package"), Largest: drawn(".bar .track i"), StandIns: count(".warning li.stand-in"),
  Changes: drawn("#changes tr.package-change"), Grown: drawn("#changes tr.growth"), Files: drawn("#changes tr.file-change"),
  Overflow: document.documentElement.scrollWidth > width,
  Outside: [...document.querySelectorAll("section, .tiles div, .track, summary, li, dd")].filter(e => !e.closest(".scroll") && e.getBoundingClientRect().right > width + 1).map(e => e.tagName + "." + e.className),
};
const out = document.createElement("pre"); out.id = "seen"; out.textContent = JSON.stringify(seen); document.body.append(out);
</script>`

type seen struct {
	Title                                        string
	Scripts, Images                              int
	Ran, Bars, Hits, Packages, Largest, StandIns int
	Changes, Grown, Files                        int
	Overflow                                     bool
	Outside                                      []string
}

// TestInABrowser has a browser lay the page out, wide and narrow.
func TestInABrowser(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if testing.Short() || err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("missing: chromium")
		}
		t.Skip("runs chromium")
	}
	page := regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`).ReplaceAllString(write(t, sample()), "") // it forbids the probe
	page = strings.Replace(page, "</body>", probe+"</body>", 1)
	name := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(name, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	want := seen{Title: "bookworm / slave – forge build", Scripts: 1, Ran: 7, Bars: 7, Hits: 3, Packages: 240, Largest: 24, StandIns: 1, Changes: 3, Grown: 2, Files: 400, Outside: []string{}}
	for _, size := range []string{"1200,900", "500,900"} {
		cmd := exec.Command(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(), "--window-size="+size, "--dump-dom", "file://"+name)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		stop := time.AfterFunc(2*time.Minute, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		dom, err := cmd.Output()
		stop.Stop()
		if err != nil {
			t.Fatalf("chromium: %v", err)
		}
		m := regexp.MustCompile(`<pre id="seen">(.*?)</pre>`).FindSubmatch(dom)
		if m == nil {
			t.Fatalf("the probe did not run:\n%s", dom)
		}
		var got seen
		if err := json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("window %s (-want +got):\n%s", size, diff)
		}
	}
}

package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesos-forge/forge/builder/event"
)

// someEvents are those of a build in which one step is stored, one runs to its end and one fails.
var someEvents = []event.Event{
	{Kind: event.Progress, Total: 3, Unit: "steps"},
	{Kind: event.StepHit, Step: "solve/base"},
	{Kind: event.Log, Step: "rootfs/base", Message: "another forge is running this step; waiting for it"},
	{Kind: event.StepStart, Step: "rootfs/base"},
	{Kind: event.Log, Step: "rootfs/base", Message: "Setting up libc6"},
	{Kind: event.Phase, Step: "rootfs/base", Message: "unpack"},
	{Kind: event.Progress, Step: "rootfs/base", Done: 12 << 20, Total: 80 << 20, Unit: "bytes"},
	{Kind: event.Warning, Step: "rootfs/base", Message: "odd\nbut fine"},
	{Kind: event.StepStart, Step: "disk/slave"},
	{Kind: event.StepDone, Step: "rootfs/base", Duration: 12345 * time.Millisecond},
	{Kind: event.StepFail, Step: "disk/slave", Duration: time.Second, Err: "no space"},
}

func TestProgressInAFile(t *testing.T) {
	for _, how := range []string{"auto", "plain"} {
		path := filepath.Join(t.TempDir(), "log")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		sink, err := newProgress(how, false, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range someEvents {
			sink.Emit(e)
		}
		endProgress(sink)
		got, err := os.ReadFile(path)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		want := `hit   solve/base
note: rootfs/base: another forge is running this step; waiting for it
start rootfs/base
warning: rootfs/base: odd but fine
start disk/slave
done  rootfs/base                  12.3s
fail  disk/slave                   1s
`
		if string(got) != want {
			t.Errorf("--progress %s wrote\n%s\nwant\n%s", how, got, want)
		}
	}
}

func TestProgressArguments(t *testing.T) {
	if _, err := newProgress("bars", false, os.Stderr); err == nil || !strings.Contains(err.Error(), "want auto, plain or json") {
		t.Errorf("error = %v; want the known forms", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	sink, err := newProgress("plain", true, w)
	if err != nil {
		t.Fatal(err)
	}
	sink.Emit(event.Event{Kind: event.StepStart, Step: "x"})
	w.Close()
	if n, _ := r.Read(make([]byte, 1)); n != 0 {
		t.Error("--quiet printed progress")
	}
}

// TestProgressOnATerminal looks at what a person sees, on terminals wide and narrow.
func TestProgressOnATerminal(t *testing.T) {
	for _, c := range []struct {
		columns       int
		row, all, bar string // substrings of what is shown while the step runs
	}{
		{100, "rootfs/base", "1 of 3 steps", "unpack 12/80 MiB"},
		{30, "rootfs/base", "1 of 3 steps", ""},
		{8, "  roo", "1 of", ""},
	} {
		t.Run(strconv.Itoa(c.columns), func(t *testing.T) {
			screen := newScreen(t, c.columns, 12)
			sink, err := newProgress("auto", false, screen.tty)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range someEvents[:8] {
				sink.Emit(e)
			}
			screen.wait(t, c.row, c.all)
			if c.bar != "" {
				screen.wait(t, c.bar, "[====")
			}
			for _, e := range someEvents[8:] {
				sink.Emit(e)
			}
			sink.Emit(event.Event{Kind: event.StepStart, Step: "layer/base"}) // never ends
			endProgress(sink)
			sink.Emit(event.Event{Kind: event.Warning, Message: "late"}) // must do no harm
			endProgress(sink)
			want := "note: rootfs/base: another forge is running this step; waiting for it\nwarning: rootfs/base: odd but fine\n" +
				"done  rootfs/base                  12.3s\nfail  disk/slave                   1s\nwarning: late\n"
			screen.wait(t, "warning: late")
			if got := screen.text(); got != want {
				t.Errorf("at the end the terminal shows\n%s\nwant\n%s", got, want)
			}
			if screen.widest == 0 || screen.widest > c.columns-2 {
				t.Errorf("rows of up to %d columns on a terminal of %d", screen.widest, c.columns)
			}
		})
	}
}

func TestColours(t *testing.T) {
	for value, want := range map[string]bool{"": true, "1": false} {
		t.Setenv("NO_COLOR", value)
		screen := newScreen(t, 80, 12)
		sink, err := newProgress("auto", false, screen.tty)
		if err != nil {
			t.Fatal(err)
		}
		sink.Emit(event.Event{Kind: event.StepDone, Step: "rootfs/base"})
		endProgress(sink)
		screen.wait(t, "done")
		if screen.coloured != want {
			t.Errorf("NO_COLOR=%q: coloured = %v, want %v", value, screen.coloured, want)
		}
	}
}

// screen is a pseudo terminal that shows as much as bars need: lines, cursor up, clear to the end.
type screen struct {
	tty *os.File

	mu       sync.Mutex
	lines    []string // the last one is that of the cursor
	widest   int      // of the rows of bars, in columns
	coloured bool
}

func newScreen(t *testing.T, columns, rows int) *screen {
	t.Helper()
	t.Setenv("TERM", "xterm")
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err := errors.Join(err, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	s := &screen{lines: []string{""}}
	if s.tty, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.tty.Close() })
	if err := unix.IoctlSetWinsize(int(s.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(rows), Col: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	go func() {
		buf := make([]byte, 64<<10)
		rest := ""
		for {
			n, err := master.Read(buf)
			if err != nil {
				return
			}
			rest = s.show(rest + string(buf[:n]))
		}
	}()
	return s
}

var token = regexp.MustCompile(`^(\x1b\[[0-9;]*[A-Za-z]|\r?\n|[^\x1b\r\n]+)`)

// show takes what was written and returns what is not a whole token yet.
func (s *screen) show(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		tok := token.FindString(text)
		if tok == "" || tok == text && tok[0] == '\x1b' && !strings.ContainsAny(tok[len(tok)-1:], "AJm") {
			return text
		}
		text = text[len(tok):]
		last := len(s.lines) - 1
		switch {
		case strings.HasSuffix(tok, "A"): // cursor up; what is below is cleared next
			n, _ := strconv.Atoi(tok[2 : len(tok)-1])
			for _, row := range s.lines[last-n:] {
				s.widest = max(s.widest, len([]rune(row)))
			}
			s.lines = append(s.lines[:last-n], "")
		case strings.HasSuffix(tok, "\x1b[J"):
		case strings.HasSuffix(tok, "m") && tok[0] == '\x1b':
			s.coloured = true
		case strings.HasSuffix(tok, "\n"):
			s.lines = append(s.lines, "")
		default:
			s.lines[last] += tok
		}
	}
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

// wait until all of want is to be seen.
func (s *screen) wait(t *testing.T, want ...string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		text, missing := s.text(), ""
		for _, w := range want {
			if !strings.Contains(text, w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the terminal doesn't show %q but\n%s", missing, text)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mesos-forge/forge/builder/event"
)

// running is a forge at work in a process group of its own, with its events.
type running struct {
	f     *forge
	cmd   *exec.Cmd
	out   bytes.Buffer
	ended chan struct{} // closed once it has ended and everything that it wrote is read

	mu     sync.Mutex
	events []event.Event
	lines  []string      // what it wrote to standard error beside its events
	more   chan struct{} // closed and made anew at each event
}

// start starts a command that emits events.
func (f *forge) start(args ...string) *running {
	f.t.Helper()
	return f.startCommand(f.command(append(args, "--progress", "json")...))
}

func (f *forge) startCommand(cmd *exec.Cmd) *running {
	f.t.Helper()
	r := &running{f: f, cmd: cmd, ended: make(chan struct{}), more: make(chan struct{})}
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.Stdout = &r.out
	pipe, w, err := os.Pipe()
	if err != nil {
		f.t.Fatal(err)
	}
	r.cmd.Stderr = w
	err = r.cmd.Start()
	w.Close()
	if err != nil {
		f.t.Fatal(err)
	}
	go r.read(pipe)
	f.t.Cleanup(func() {
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
		<-r.ended
	})
	return r
}

// read takes events and other lines until nobody has standard error open any more.
func (r *running) read(pipe io.ReadCloser) {
	defer close(r.ended)
	defer pipe.Close()
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event.Event
		isEvent := json.Unmarshal(lines.Bytes(), &e) == nil && e.Kind != ""
		r.mu.Lock()
		if isEvent {
			r.events = append(r.events, e)
			close(r.more)
			r.more = make(chan struct{})
		} else {
			r.lines = append(r.lines, lines.Text())
		}
		r.mu.Unlock()
	}
	err := r.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.lines = append(r.lines, err.Error())
	}
}

// wait waits for its end and returns its standard output and exit status, -1 if a signal ended it.
func (r *running) wait() (string, int) {
	<-r.ended
	return r.out.String(), r.cmd.ProcessState.ExitCode()
}

// messages is what it wrote to standard error beside its events.
func (r *running) messages() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

// at waits until a step is in a phase.
func (r *running) at(step, phase string) {
	r.f.t.Helper()
	r.until(fmt.Sprintf("step %s, phase %s", step, phase), func(es []event.Event) bool {
		e := es[len(es)-1]
		return e.Kind == event.Phase && e.Step == step && e.Message == phase
	})
}

// until waits for an event after which done is true, which is called after each.
func (r *running) until(what string, done func([]event.Event) bool) {
	r.f.t.Helper()
	for n := 0; ; n++ {
		r.mu.Lock()
		have, more := r.events, r.more
		r.mu.Unlock()
		if n < len(have) {
			if done(have[:n+1]) {
				return
			}
			continue
		}
		n--
		select {
		case <-more:
		case <-r.ended:
			r.f.t.Fatalf("forge ended before %s:\n%s", what, r.messages())
		}
	}
}

// count counts the events of a kind by their step, such as the steps that ran to their end.
func (r *running) count(kind event.Kind) map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := map[string]int{}
	for _, e := range r.events {
		if e.Kind == kind {
			m[e.Step]++
		}
	}
	return m
}

// inner returns the forge that works in the namespaces which the outer one made.
func (r *running) inner() int {
	r.f.t.Helper()
	pids := children(r.cmd.Process.Pid)
	if len(pids) != 1 {
		r.f.t.Fatalf("forge has the children %v; want one, the inner forge", pids)
	}
	return pids[0]
}

// children returns the children of a process; none for one that is gone.
func children(pid int) []int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, name := range tasks {
		if name != fmt.Sprintf("/proc/%d/task/%d/children", pid, pid) {
			more, _ := os.ReadFile(name)
			b = append(append(b, ' '), more...)
		}
	}
	var pids []int
	for _, s := range strings.Fields(string(b)) {
		if n, err := strconv.Atoi(s); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// watchMemory waits for forge's end and returns the memory that its outer and inner process took at
// most, without those that they started, in bytes. The kernel keeps the highest value of each.
func (r *running) watchMemory() int64 {
	peaks := map[int]int64{}
	for {
		for _, pid := range append(children(r.cmd.Process.Pid), r.cmd.Process.Pid) {
			if n := peakMemory(pid); n > 0 {
				peaks[pid] = n
			}
		}
		select {
		case <-r.ended:
			var sum int64
			for _, n := range peaks {
				sum += n
			}
			return sum
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// peakMemory returns the largest resident set that a process had, in bytes; 0 if it is gone.
func peakMemory(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

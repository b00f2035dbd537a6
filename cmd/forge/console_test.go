package main_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/image/vm"
)

// console runs commands in the root shell on a machine's serial console: the way in where no network
// leads from the host to the machine.
type console struct {
	keys *io.PipeWriter
	mu   sync.Mutex
	seen strings.Builder
	runs int
}

// openConsole attaches to a machine whose seed opened a shell, and waits for its prompt.
func openConsole(ctx context.Context, t *testing.T, m *builder.Booted) *console {
	t.Helper()
	in, keys := io.Pipe()
	c := &console{keys: keys}
	ends := make(chan error, 1)
	go func() { ends <- m.Attach(ctx, in, c) }()
	t.Cleanup(func() {
		_, _ = keys.Write([]byte{vm.Detach})
		if err := <-ends; err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	c.prompt(ctx, t)
	if who := c.run(ctx, t, "echo I am $(id -un) at $(tty)"); who != "I am root at /dev/ttyS0" {
		t.Errorf("the shell on the console says %q", who)
	}
	return c
}

// Write takes what the machine prints.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen.Write(p)
}

func (c *console) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen.String()
}

// noise is a line that the kernel or a service writes between others: "[  338.364366] forge-node[832]: ...".
var noise = regexp.MustCompile(`\[ *[0-9]+\.[0-9]+\] [^\n]*\n`)

// prompt waits for the shell: an Enter before it is there is lost, so it is typed again.
func (c *console) prompt(ctx context.Context, t *testing.T) {
	t.Helper()
	before := len(c.text())
	for !strings.Contains(c.text()[before:], ":~# ") {
		if _, err := io.WriteString(c.keys, "\n"); err != nil {
			t.Fatalf("type on the console: %v", err)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no prompt on the console: %v; it said:\n%s", context.Cause(ctx), c.text())
		case <-time.After(2 * time.Second):
		}
	}
}

// run types a command and returns what it prints. Its output comes back encoded, between marks, since
// kernel and services write to the same console; where one of them wrote into it, it is asked again.
func (c *console) run(ctx context.Context, t *testing.T, command string) string {
	t.Helper()
	for range 5 {
		c.runs++
		answer := regexp.MustCompile(fmt.Sprintf(`(?s)<%d:(.*):%d>`, c.runs, c.runs))
		typed := fmt.Sprintf("printf '<%%s:' %d; { %s\n} 2>&1 | base64 -w0; printf ':%%s>\\n' %d\n", c.runs, command, c.runs)
		if _, err := io.WriteString(c.keys, typed); err != nil {
			t.Fatalf("type %q: %v", command, err)
		}
		var found []string
		for found == nil {
			select {
			case <-ctx.Done():
				t.Fatalf("%q on the console: %v; it said:\n%s", command, context.Cause(ctx), c.text())
			case <-time.After(200 * time.Millisecond):
			}
			found = answer.FindStringSubmatch(c.text())
		}
		if out, err := base64.StdEncoding.DecodeString(strings.TrimSpace(noise.ReplaceAllString(found[1], ""))); err == nil {
			return strings.TrimSpace(string(out))
		}
	}
	t.Fatalf("%q on the console has no answer that can be read; it said:\n%s", command, c.text())
	return ""
}

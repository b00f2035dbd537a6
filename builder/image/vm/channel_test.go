package vm

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// agentOn serves each connection with the given talk, and returns the socket.
func agentOn(t *testing.T, talk func(n int, in *bufio.Scanner, c net.Conn)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			talk(n, bufio.NewScanner(c), c)
			c.Close()
		}
	}()
	return path
}

// next skips empty lines, as the agent does.
func next(in *bufio.Scanner) string {
	for in.Scan() {
		if in.Text() != "" {
			return in.Text()
		}
	}
	return ""
}

func TestChannel(t *testing.T) {
	path := agentOn(t, func(_ int, in *bufio.Scanner, c net.Conn) {
		fmt.Fprint(c, "half a line", "\n", `{"level": "stale"}`, "\n") // for somebody who has gone
		for q := next(in); q != ""; q = next(in) {
			if q == "status" {
				fmt.Fprintln(c, `{"level": "configured"}`)
			} else {
				fmt.Fprintln(c, unknown(q))
			}
		}
	})
	c := newChannel(path)
	defer c.leave()
	for range 3 {
		var got struct{ Level string }
		if err := c.ask(t.Context(), "status", &got); err != nil || got.Level != "configured" {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	if c.sync != 1 {
		t.Errorf("synchronized %d times", c.sync)
	}
	err := c.ask(t.Context(), "nonsense", &struct{}{})
	if err == nil || !strings.Contains(err.Error(), `it says: unknown request "nonsense"`) {
		t.Errorf("got %v", err)
	}
}

// An agent that loses requests and answers late must not make one answer pass for another.
func TestChannelLostAndLate(t *testing.T) {
	path := agentOn(t, func(_ int, in *bufio.Scanner, c net.Conn) {
		late := ""
		for n, q := 0, next(in); q != ""; q = next(in) {
			switch {
			case strings.HasPrefix(q, "sync-") && n < 2:
				n++ // lost: the agent was started again
			case q == "first":
				late = `{"is": "first"}` // answered after its time
			case late != "":
				fmt.Fprintln(c, late)
				late = ""
				fmt.Fprintln(c, unknown(q))
			case q == "second":
				fmt.Fprintln(c, `{"is": "second"}`)
			default:
				fmt.Fprintln(c, unknown(q))
			}
		}
	})
	c := newChannel(path)
	defer c.leave()
	c.wait = 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	var got struct{ Is string }
	if err := c.ask(ctx, "first", &got); err == nil && got.Is != "first" {
		t.Fatalf("first got %+v", got)
	}
	if err := c.ask(t.Context(), "second", &got); err != nil || got.Is != "second" {
		t.Fatalf("second got %+v, %v", got, err)
	}
}

func TestChannelErrors(t *testing.T) {
	answering := func(answer string) func(int, *bufio.Scanner, net.Conn) {
		return func(_ int, in *bufio.Scanner, c net.Conn) {
			for q := next(in); q != ""; q = next(in) {
				if strings.HasPrefix(q, "sync-") {
					fmt.Fprintln(c, unknown(q))
					continue
				}
				fmt.Fprint(c, answer)
				return
			}
		}
	}
	for _, test := range []struct{ name, answer, says string }{
		{"not JSON", "login:\n", "its answer is not JSON"},
		{"other shape", `["a"]` + "\n", "its answer is not JSON"},
		{"wrong type", `{"level": 7}` + "\n", "cannot unmarshal number"},
		{"cut off", `{"level":`, "EOF"},
		{"endless", strings.Repeat("x", maxAnswer+9000), "more than 8388608 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newChannel(agentOn(t, answering(test.answer)))
			defer c.leave()
			var got struct{ Level string }
			err := c.ask(t.Context(), "status", &got)
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.HasPrefix(err.Error(), `ask the node for "status": `) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("nobody", func(t *testing.T) {
		c := newChannel(filepath.Join(t.TempDir(), "none"))
		if err := c.ask(t.Context(), "status", &struct{}{}); err == nil || !strings.Contains(err.Error(), "no such file") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("ends", func(t *testing.T) {
		c := newChannel(agentOn(t, func(_ int, in *bufio.Scanner, _ net.Conn) {
			for in.Scan() {
			}
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err := c.ask(ctx, "status", &struct{}{})
		if err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
			t.Errorf("got %v", err)
		}
	})
}

// After a connection that broke, the next request gets a new one.
func TestChannelConnectsAgain(t *testing.T) {
	path := agentOn(t, func(n int, in *bufio.Scanner, c net.Conn) {
		fmt.Fprintln(c, unknown(next(in)))
		if q := next(in); n > 1 {
			fmt.Fprintf(c, "{\"n\": %d, \"q\": %q}\n", n, q)
		}
	})
	c := newChannel(path)
	defer c.leave()
	if err := c.ask(t.Context(), "status", &struct{}{}); err == nil {
		t.Fatal("no error from a broken connection")
	}
	var got struct {
		N int
		Q string
	}
	if err := c.ask(t.Context(), "facts", &got); err != nil || got.N != 2 || got.Q != "facts" {
		t.Errorf("got %+v, %v", got, err)
	}
}

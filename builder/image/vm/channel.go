package vm

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

const (
	maxAnswer = 8 << 20 // bytes of one answer
	// patience is how long one request may take. The agent gives up after a minute by itself; one
	// that has ended, or that was started again, answers nothing.
	patience = 70 * time.Second
)

// channel asks the agent over the virtio-serial port, which QEMU shows as a unix socket: one line
// there, one line of JSON back.
//
// A request may be lost (the agent was started again) or answered when nobody waits any more. So
// before the first request, and after every one without an answer, the channel sends a word of its
// own choice, and drops lines until the agent answers that it does not know this word.
type channel struct {
	path string
	turn chan struct{} // holds one token: one request at a time
	conn net.Conn
	in   *bufio.Reader
	wait time.Duration // patience
	sync int           // the number of the last word
	even bool          // every request has been answered
}

func newChannel(path string) *channel {
	c := &channel{path: path, wait: patience, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c
}

// ask sends a request and decodes the answer into v. While the agent is not there it waits, until
// ctx ends.
func (c *channel) ask(ctx context.Context, request string, v any) error {
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	var line []byte
	for {
		var err error
		if line, err = c.try(ctx, request); err == nil {
			break
		}
		if ctx.Err() != nil {
			return fmt.Errorf("ask the node for %q: %w", request, context.Cause(ctx))
		}
		var lost net.Error
		if !errors.As(err, &lost) || !lost.Timeout() {
			return fmt.Errorf("ask the node for %q: %w", request, err)
		}
	}
	var failure struct {
		Error *string `json:"error"`
	}
	if err := json.Unmarshal(line, &failure); err != nil {
		return fmt.Errorf("ask the node for %q: its answer is not JSON: %w", request, err)
	}
	if failure.Error != nil {
		return fmt.Errorf("ask the node for %q: it says: %s", request, *failure.Error)
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("ask the node for %q: %w", request, err)
	}
	return nil
}

// try sends a request once, and waits with patience.
func (c *channel) try(ctx context.Context, request string) ([]byte, error) {
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	conn := c.conn // the function may run while drop clears c.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if !c.even {
		if err := c.synchronize(ctx); err != nil {
			return nil, c.drop(err)
		}
	}
	c.even = false
	line, err := c.exchange(ctx, request)
	if err != nil {
		return nil, c.drop(err)
	}
	c.even = true
	return line, nil
}

// drop closes the connection after an error, but for one of time: then the line that comes late is
// for this connection, and synchronize takes it away.
func (c *channel) drop(err error) error {
	var lost net.Error
	if !errors.As(err, &lost) || !lost.Timeout() {
		c.close()
	}
	return err
}

func (c *channel) connect(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.path)
	if err != nil {
		return err
	}
	c.conn, c.in, c.even = conn, bufio.NewReader(conn), false
	return nil
}

func (c *channel) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// synchronize makes sure that the next line is the answer to the next request.
func (c *channel) synchronize(ctx context.Context) error {
	c.sync++
	word := fmt.Sprintf("sync-%d", c.sync)
	// The empty line ends what was left half-written; the agent ignores it.
	line, err := c.exchange(ctx, "\n"+word)
	for err == nil && !bytes.Contains(line, []byte(word)) {
		line, err = c.read()
	}
	return err
}

func (c *channel) exchange(ctx context.Context, request string) ([]byte, error) {
	if err := c.conn.SetDeadline(time.Now().Add(c.wait)); err != nil {
		return nil, err
	}
	if ctx.Err() != nil { // it may have ended before the deadline was set
		return nil, context.Cause(ctx)
	}
	if _, err := fmt.Fprintf(c.conn, "%s\n", request); err != nil {
		return nil, err
	}
	return c.read()
}

func (c *channel) read() ([]byte, error) {
	var line []byte
	for {
		part, err := c.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > maxAnswer:
			return nil, fmt.Errorf("an answer of more than %d bytes", maxAnswer)
		}
	}
}

// leave closes the connection once nobody asks.
func (c *channel) leave() {
	<-c.turn
	defer func() { c.turn <- struct{}{} }()
	c.close()
}

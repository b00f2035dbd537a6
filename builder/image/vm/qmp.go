package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// maxQMP bounds one connection's answers, in bytes.
const maxQMP = 1 << 20

// qmpCommand sends one command over a connection of its own (QMP serves one client at a time) and
// returns when QEMU has accepted it.
func qmpCommand(ctx context.Context, path, command string) error {
	err := func() error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", path)
		if err != nil {
			return err
		}
		defer conn.Close()
		if deadline, ok := ctx.Deadline(); ok {
			if err := conn.SetDeadline(deadline); err != nil {
				return err
			}
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		return qmpTalk(conn, "qmp_capabilities", command)
	}()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("QMP: %s: %w", command, err)
	}
	return nil
}

// qmpTalk reads the greeting and sends commands, each after the answer to the one before.
func qmpTalk(conn io.ReadWriter, commands ...string) error {
	type message struct {
		QMP    json.RawMessage `json:"QMP"`
		Return json.RawMessage `json:"return"`
		Event  string          `json:"event"`
		Error  *struct {
			Class string `json:"class"`
			Desc  string `json:"desc"`
		} `json:"error"`
	}
	in := json.NewDecoder(io.LimitReader(conn, maxQMP))
	var m message
	if err := in.Decode(&m); err != nil {
		return fmt.Errorf("read the greeting: %w", err)
	}
	if m.QMP == nil {
		return errors.New("the other end does not greet as QEMU does")
	}
	for _, c := range commands {
		if err := json.NewEncoder(conn).Encode(map[string]string{"execute": c}); err != nil {
			return err
		}
		for m = (message{}); m.Return == nil; {
			m = message{}
			if err := in.Decode(&m); err != nil {
				return fmt.Errorf("read the answer to %s: %w", c, err)
			}
			if m.Error != nil {
				return fmt.Errorf("%s: %s (%s)", c, m.Error.Desc, m.Error.Class)
			}
		}
	}
	return nil
}

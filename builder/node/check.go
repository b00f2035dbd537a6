package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"
)

const (
	askTimeout = 2 * time.Second // bounds one question to a peer
	// checkTimeout bounds one check of a service of this node: on an emulated machine a JVM takes
	// seconds to put all its figures on one page.
	checkTimeout = 15 * time.Second
)

const maxAnswer = 1 << 20

// check asks a service how it is; nil is good health.
func (n *Node) check(ctx context.Context, svc RenderedService, c Check, host string) error {
	if c.Kind == CheckExec {
		return n.checkExec(ctx, c)
	}
	port, ok := svc.PortOf[c.Port]
	if !ok {
		return fmt.Errorf("the manifest has no port %q", c.Port)
	}
	address := net.JoinHostPort(host, fmt.Sprint(port))
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	switch c.Kind {
	case CheckTCP:
		return n.connects(ctx, address)
	case CheckHTTP:
		return n.checkHTTP(ctx, c, address)
	case CheckZK:
		return n.checkZK(ctx, c, address)
	}
	return fmt.Errorf("unknown kind of check %q", c.Kind)
}

// checkExec runs a program that knows how a service is.
func (n *Node) checkExec(ctx context.Context, c Check) error {
	acc, err := n.accounts()
	if err != nil {
		return err
	}
	as, err := acc.user(c.User)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	out, err := n.Exec(ctx, as, c.Run)
	if err != nil {
		return err
	}
	return matchAnswer(bytes.NewReader(out), c.Match, c.Run[0])
}

func (n *Node) checkHTTP(ctx context.Context, c Check, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+c.Path, nil)
	if err != nil {
		return err
	}
	client := &http.Client{
		Transport:     &http.Transport{DialContext: n.Dial, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	want := c.Status
	if want == 0 {
		want = http.StatusOK
	}
	if resp.StatusCode != want {
		return fmt.Errorf("GET %s answers %d, not %d", req.URL, resp.StatusCode, want)
	}
	return matchAnswer(resp.Body, c.Match, "GET "+req.URL.String())
}

// checkZK sends ZooKeeper's four letters "srvr".
func (n *Node) checkZK(ctx context.Context, c Check, address string) error {
	conn, err := n.Dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return err
	}
	return matchAnswer(conn, or(c.Match, `Mode: (leader|follower|standalone)`), "srvr")
}

func matchAnswer(r io.Reader, pattern, asked string) error {
	if pattern == "" {
		return nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return fmt.Errorf("the manifest's match: %w", err)
	}
	answer, err := io.ReadAll(io.LimitReader(r, maxAnswer))
	if err != nil {
		return err
	}
	if !re.Match(answer) {
		first, _, _ := strings.Cut(strings.TrimSpace(string(answer)), "\n")
		return fmt.Errorf("%s: the answer %.80q does not match %s", asked, first, pattern)
	}
	return nil
}

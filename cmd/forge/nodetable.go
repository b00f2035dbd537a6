package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"
	"golang.org/x/term"

	"github.com/mesos-forge/forge/builder/fleet"
	"github.com/mesos-forge/forge/builder/node"
)

// table shows how nodes are while they come up: on a terminal one table that changes in place, elsewhere a
// line for each change.
type table struct {
	w     io.Writer
	quiet bool
	width int // of the terminal; 0: it is none

	drawn int               // lines of the table on the terminal
	said  map[string]string // by node, the last line
}

func newTable(v *viper.Viper, w *os.File) *table {
	t := &table{w: w, quiet: v.GetBool("quiet"), said: map[string]string{}}
	if v.GetString("progress") == "auto" && term.IsTerminal(int(w.Fd())) && os.Getenv("TERM") != "dumb" {
		if width, _, err := term.GetSize(int(w.Fd())); err == nil {
			t.width = width
		}
	}
	return t
}

// show draws the nodes, or prints those that changed.
func (t *table) show(nodes []fleet.NodeStatus) {
	switch {
	case t.quiet:
	case t.width > 0:
		t.draw(nodes)
	default:
		for _, n := range nodes {
			line := fmt.Sprintf("%s: %s", n.Node, n.Level)
			if n.Problem != "" {
				line += ": " + oneLine(n.Problem)
			}
			if t.said[n.Node] != line {
				fmt.Fprintln(t.w, line)
				t.said[n.Node] = line
			}
		}
	}
}

func (t *table) draw(nodes []fleet.NodeStatus) {
	var b strings.Builder
	if t.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", t.drawn)
	}
	lines := nodeLines(nodes)
	for _, line := range lines {
		if runes := []rune(line); len(runes) >= t.width {
			line = string(runes[:max(0, t.width-1)])
		}
		b.WriteString("\x1b[2K" + line + "\n")
	}
	b.WriteString("\x1b[J")
	t.drawn = len(lines)
	_, _ = io.WriteString(t.w, b.String())
}

// nodeLines is the table as text: a head, and a line for each node.
func nodeLines(nodes []fleet.NodeStatus) []string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tROLE\tADDRESS\tLEVEL\tSERVICES\tSINCE\t")
	for _, n := range nodes {
		services, since := servicesOf(n)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", n.Node, n.Role, n.Address, n.Level, services, since, oneLine(n.Problem))
	}
	_ = w.Flush() // into memory
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// servicesOf says how many of a node's services are well ("5/6"), and for how long its youngest one runs.
func servicesOf(n fleet.NodeStatus) (services, since string) {
	if n.Status == nil {
		return "-", "-"
	}
	well := 0
	var youngest time.Time
	for _, s := range n.Status.Services {
		ok := s.State == node.Running && len(s.Waits) == 0
		for _, h := range s.Health {
			ok = ok && h.OK
		}
		if ok {
			well++
		}
		if at, err := time.Parse(time.RFC3339, s.Since); err == nil && at.After(youngest) {
			youngest = at
		}
	}
	since = "-"
	if !youngest.IsZero() {
		since = units.HumanDuration(time.Since(youngest))
	}
	return fmt.Sprintf("%d/%d", well, len(n.Status.Services)), since
}

// finish prints how the nodes are, as the result of a command: for people, or as JSON.
func finish(cmd *cobra.Command, v *viper.Viper, t *table, c *fleet.Fleet) error {
	nodes, err := c.Status(cmd.Context())
	if err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	if v.GetString("output") == "json" {
		return json.NewEncoder(w).Encode(nodes)
	}
	if t.drawn == 0 {
		for _, line := range nodeLines(nodes) {
			fmt.Fprintln(w, line)
		}
	}
	_, err = fmt.Fprintf(w, "\nnext\n  forge status              how the nodes are\n  forge sh %-16s a shell on a node\n  forge logs %-14s what its services print\n  forge down                remove the cluster, its data too\n", nodes[0].Node, nodes[0].Node)
	return err
}

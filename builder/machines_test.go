package builder

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/fleet"
	"github.com/mesos-forge/forge/builder/node"
)

func TestChosenNodes(t *testing.T) {
	inv := &cluster.Inventory{Name: "lab", Nodes: []cluster.Node{{Name: "master1"}, {Name: "slave1"}, {Name: "slave2"}}}
	for _, c := range []struct {
		names []string
		want  string
		err   string
	}{
		{[]string{"all"}, "master1 slave1 slave2", ""},
		{[]string{"slave2", "master1"}, "master1 slave2", ""},
		{[]string{"slvae1"}, "", `did you mean "slave1"?`},
	} {
		nodes, err := chosenNodes(inv, c.names)
		var got []string
		for _, n := range nodes {
			got = append(got, n.Name)
		}
		if c.err == "" && (err != nil || strings.Join(got, " ") != c.want) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%v: %v, %v; want %q %q", c.names, got, err, c.want, c.err)
		}
	}
}

func TestDataDisksOfMachines(t *testing.T) {
	n := cluster.Node{Name: "slave1", Disks: []cluster.Disk{{Mount: "/data/1", Device: dataDisk + "0"}, {Mount: "/data/2", Device: "/dev/vdc"}}}
	if err := checkDataDisks(n); err == nil || !strings.Contains(err.Error(), "for /data/2 is /dev/vdc in the inventory, and a machine of forge has it as /dev/disk/by-id/virtio-extra1") {
		t.Errorf("a device that a machine has not: %v", err)
	}
	dir := t.TempDir()
	if _, err := dataDisks(dir, 2, 64<<20); err != nil {
		t.Fatal(err)
	}
	first := filepath.Join(dir, "data0.raw")
	if err := os.WriteFile(first, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	disks, err := dataDisks(dir, 2, 128<<20)
	if err != nil || len(disks) != 2 || disks[0].Path != first {
		t.Fatalf("%v, %v", disks, err)
	}
	if b, err := os.ReadFile(first); err != nil || string(b) != "kept" {
		t.Errorf("a disk with data became %q, %v", b, err)
	}
	if fi, err := os.Stat(disks[1].Path); err != nil || fi.Size() != 64<<20 {
		t.Errorf("the second disk: %v, %v; want the size that it was made with", fi, err)
	}
}

// An agent that is slower than the table is asked once, and its answer is told when it has come.
func TestStatusOfASlowMachine(t *testing.T) {
	questions, answers := make(chan struct{}, 10), make(chan error)
	n := &runningNode{wait: time.Millisecond, patience: answerTime, agent: func(context.Context) (*node.Status, error) {
		questions <- struct{}{}
		err := <-answers
		return &node.Status{Level: node.LevelInRole}, err
	}}
	s := fleet.NodeStatus{Node: "slave1"}
	for range 3 {
		if got := n.latest(t.Context(), s); got.Level != node.LevelStarting || !strings.Contains(got.Problem, "it boots") {
			t.Errorf("before the first answer: %+v", got)
		}
	}
	answers <- errors.New("nobody there")
	n.wait = time.Minute
	go func() { answers <- nil }() // to the second question
	var got fleet.NodeStatus
	for got.Level != node.LevelInRole && t.Context().Err() == nil {
		got = n.latest(t.Context(), s)
	}
	if got.Node != "slave1" || got.Problem != "" {
		t.Errorf("after the second answer: %+v", got)
	}
	if n.patience != 2*answerTime || len(questions) != 2 {
		t.Errorf("%d questions; the next has %s for its answer", len(questions), n.patience)
	}
	n.wait, n.heard = 0, time.Now().Add(-2*silence)
	if got := n.latest(t.Context(), s); got.Level != node.LevelStarting || !strings.Contains(got.Problem, "said nothing since") {
		t.Errorf("of an agent that is silent: %+v", got)
	}
	answers <- nil
}

// A machine stays with the image that its overlay lies over, until a person says otherwise.
func TestBaseImage(t *testing.T) {
	var said event.Recorder
	b := &Builder{opt: Options{Sink: &said}}
	top := t.TempDir()
	dir, image := filepath.Join(top, "slave1"), filepath.Join(top, "role.qcow2")
	build := func(content string) { // as a build does, by a rename
		t.Helper()
		if err := os.WriteFile(image+".new", []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(image+".new", image); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, overlayName)
	want := func(base, content string, overlaid bool) {
		t.Helper()
		got, err := os.ReadFile(base)
		if err != nil || string(got) != content {
			t.Errorf("the image is %q, %v; want %q", got, err, content)
		}
		if _, err := os.Stat(overlay); (err == nil) != overlaid {
			t.Errorf("the overlay: %v; want it: %v", err, overlaid)
		}
	}
	build("one")
	base, err := b.baseImage(dir, image, false)
	if err != nil {
		t.Fatal(err)
	}
	want(base, "one", false)
	if err := os.WriteFile(overlay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	build("two")
	if base, err = b.baseImage(dir, image, false); err != nil {
		t.Fatal(err)
	}
	want(base, "one", true)
	if len(said.Events()) != 1 || !strings.Contains(said.Events()[0].Message, "--replace begins anew") {
		t.Errorf("it says %v", said.Events())
	}
	if base, err = b.baseImage(dir, image, true); err != nil {
		t.Fatal(err)
	}
	want(base, "two", false)
}

func TestMachinesBelongToOneForge(t *testing.T) {
	out := t.TempDir()
	l, err := lockMachines(MachinesDir(out, "lab"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockMachines(MachinesDir(out, "lab")); err == nil || !strings.Contains(err.Error(), "run already") {
		t.Errorf("a second forge: %v", err)
	}
	if there, err := RemoveMachines(out, "lab"); err == nil || there {
		t.Errorf("machines that run were removed: %v, %v", there, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if there, err := RemoveMachines(out, "lab"); err != nil || !there {
		t.Errorf("remove: %v, %v", there, err)
	}
	if there, err := RemoveMachines(out, "lab"); err != nil || there {
		t.Errorf("remove what is gone: %v, %v", there, err)
	}
}

package builder

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mesos-forge/forge/"

// topFolder is the package of the files that lie at the top.
const topFolder = "github.com/mesos-forge/forge"

// ranks are the layers of the code, the highest first. A package imports lower ranks, and, where its
// rank allows it, its own.
var ranks = []struct {
	packages []string
	own      bool
}{
	{[]string{"cmd/", "hack/"}, true}, // cmd/X/internal
	{[]string{"builder/lint", "builder/evidence"}, false},
	{[]string{"builder"}, false},
	{[]string{"builder/deb", "builder/rootfs", "builder/image/", "builder/fleet", "builder/publish", "builder/compare", "builder/report"}, false},
	{[]string{"builder/source", "builder/archive", "builder/sandbox", "builder/store", "builder/step"}, true},
	{[]string{"builder/recipe", "builder/lock", "builder/fit", "builder/cluster", "builder/node", "builder/event", topFolder}, true},
}

func rank(pkg string) int {
	best, length := -1, -1
	for i, r := range ranks {
		for _, p := range r.packages {
			if (pkg == p || strings.HasPrefix(pkg, strings.TrimSuffix(p, "/")+"/")) && len(p) > length {
				best, length = i, len(p)
			}
		}
	}
	return best
}

// exceptions are imports of an own rank that are meant.
var exceptions = map[[2]string]bool{
	{"builder/image/vm", "builder/image/vm/bootsector"}: true, // a part of it
	{"builder/rootfs/rootfstest", "builder/rootfs"}:     true, // for its tests
}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var l listed
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
}

// TestImportsPointOneWay holds the architecture: see the package comment of builder and CONTRIBUTING.md.
func TestImportsPointOneWay(t *testing.T) {
	seen := 0
	for _, l := range list(t) {
		from := strings.TrimPrefix(l.ImportPath, module)
		if rank(from) < 0 {
			t.Errorf("%s has no rank: give it one in this test", from)
			continue
		}
		for _, imported := range l.Imports {
			to, own := strings.CutPrefix(imported, module)
			if !own {
				continue
			}
			seen++
			a, b := rank(from), rank(to)
			if b < a || b == a && !ranks[a].own && !exceptions[[2]string{from, to}] {
				t.Errorf("%s imports %s: imports point from cmd to builder, to the stages, to what these share, to plain data; stages don't import each other", from, to)
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d imports were looked at", seen)
	}
}

// TestAgentIsSmall holds what a node's agent is made of: it runs on every machine, so what it needs is
// kept to what it is for.
func TestAgentIsSmall(t *testing.T) {
	allowed := []string{"builder/node", "builder/cluster", "builder/event", "cmd/forge-node"}
	for _, l := range list(t) {
		if l.ImportPath != module+"cmd/forge-node" {
			continue
		}
		for _, d := range l.Deps {
			if pkg, own := strings.CutPrefix(d, module); own && !slices.Contains(allowed, pkg) {
				t.Errorf("forge-node holds %s; it may hold %s", pkg, strings.Join(allowed, ", "))
			}
		}
		return
	}
	t.Error("there is no cmd/forge-node")
}

// TestStoreIsBelowSteps: steps know the store, never the other way round.
func TestStoreIsBelowSteps(t *testing.T) {
	for _, l := range list(t) {
		if l.ImportPath == module+"builder/store" && slices.Contains(l.Deps, module+"builder/step") {
			t.Error("the store knows steps")
		}
	}
}

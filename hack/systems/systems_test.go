package main

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/recipe"
)

const printed = `=== RUN   TestA
=== RUN   TestA/one
--- PASS: TestA (0.10s)
    --- PASS: TestA/one (0.10s)
    --- SKIP: TestA/two (0.00s)
PASS
ok  	github.com/mesos-forge/forge/cmd/forge	1.2s
--- PASS: TestB (0.10s)
--- FAIL: TestC (0.10s)
FAIL	github.com/mesos-forge/forge/builder/deb	0.3s
--- PASS: TestD (0.10s)
ok  	github.com/mesos-forge/forge/builder/node	1.2s	coverage: 50%
--- PASS: TestE (0.10s)
`

func TestResultsCountInPackagesThatPassed(t *testing.T) {
	got, err := readResults(strings.NewReader(printed))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"builder/node TestD", "cmd/forge TestA", "cmd/forge TestA/one"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("passed (-want +got):\n%s", diff)
	}
}

// listed is the list of the checkout with its stacks.
func listed(t *testing.T) (*systems, map[string]*recipe.Stack) {
	t.Helper()
	text, err := os.ReadFile("systems.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := readSystems(text)
	if err != nil {
		t.Fatal(err)
	}
	stacks := map[string]*recipe.Stack{}
	for _, name := range s.Stacks {
		if stacks[name], err = recipe.Load(os.DirFS("../.."), name); err != nil {
			t.Fatal(err)
		}
	}
	return s, stacks
}

func TestListNamesEveryComponent(t *testing.T) {
	s, stacks := listed(t)
	if err := s.complete(stacks); err != nil {
		t.Error(err)
	}
	s.Systems = s.Systems[1:]
	if err := s.complete(stacks); err == nil || !strings.Contains(err.Error(), "the component zookeeper of the stack bookworm is in no system") {
		t.Errorf("a list without ZooKeeper: %v", err)
	}
}

func TestRowsAreChecked(t *testing.T) {
	_, stacks := listed(t)
	for want, r := range map[string]row{
		`no stack "plan9"`:            {Stack: "plan9"},
		`has no component "yarn"`:     {Stack: "bookworm", Component: "yarn"},
		`has no service "nodemanage"`: {Stack: "bookworm", Component: "hdfs", Services: []string{"nodemanage"}},
		`no test shows hdfs`:          {Stack: "bookworm", Component: "hdfs"},
	} {
		if err := r.check("X", stacks); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %q", r, err, want)
		}
	}
}

func TestRowWithoutItsTestIsAnError(t *testing.T) {
	s := &systems{Systems: []system{{Name: "HDFS", Rows: []row{{Stack: "bookworm", Tests: []string{"a TestX", "a TestY"}}}}}}
	err := s.shown(map[string]bool{"a TestX": true})
	if err == nil || err.Error() != "HDFS in bookworm: the test a TestY did not run, or failed" {
		t.Error(err)
	}
}

func TestPageSaysWhatStandsIn(t *testing.T) {
	s, stacks := listed(t)
	page := string(s.page(stacks))
	for _, want := range []string{"| With | stand-in: stand-in for Apache Mesos", "| Health | zk 2181 |", "| Packages | forge-mesos, mesos |", "| Roles | master, slave |", "Maven artifacts"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q:\n%s", want, page)
		}
	}
}

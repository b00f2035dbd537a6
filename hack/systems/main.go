// Command systems writes docs/systems.md: each system of the cluster with its source, package, roles and health
// checks, as the recipes say them, and the tests that show it. It reads what `go test -v` printed: a system
// whose test did not pass in that run is an error, and so is a component that no system names.
//
//	go run ./hack/systems -results LOG           compares docs/systems.md with what would be written
//	go run ./hack/systems -results LOG -update   writes it
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/mesos-forge/forge/builder/recipe"
)

const (
	list = "hack/systems/systems.yaml"
	page = "docs/systems.md"
)

func main() {
	results := flag.String("results", "", "what go test -v printed")
	update := flag.Bool("update", false, "write "+page)
	flag.Parse()
	if *results == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: systems -results LOG [-update]")
		os.Exit(2)
	}
	if err := run(*results, *update); err != nil {
		fmt.Fprintln(os.Stderr, "systems:", err)
		os.Exit(1)
	}
}

func run(results string, update bool) error {
	log, err := os.Open(results)
	if err != nil {
		return err
	}
	defer log.Close()
	passed, err := readResults(log)
	if err != nil {
		return fmt.Errorf("%s: %w", results, err)
	}
	text, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	systems, err := readSystems(text)
	if err != nil {
		return fmt.Errorf("%s: %w", list, err)
	}
	stacks := map[string]*recipe.Stack{}
	for _, name := range systems.Stacks {
		if stacks[name], err = recipe.Load(os.DirFS("."), name); err != nil {
			return err
		}
	}
	if err := errors.Join(systems.complete(stacks), systems.shown(passed)); err != nil {
		return err
	}
	made := systems.page(stacks)
	if update {
		return os.WriteFile(page, made, 0o644)
	}
	if now, err := os.ReadFile(page); err != nil || !bytes.Equal(now, made) {
		return fmt.Errorf("%s is not what the recipes and %s say (%v): go run ./hack/systems -results LOG -update writes it", page, list, err)
	}
	return nil
}

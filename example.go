// Package forge holds the files of the top folder that a released program carries with it.
package forge

import _ "embed"

// ExampleInventory is cluster.example.yaml, what `forge init` writes.
//
//go:embed cluster.example.yaml
var ExampleInventory []byte

// Package fleet runs the nodes of an inventory as containers of a Docker engine, on a network of their own:
// it makes what is missing, changes what differs, leaves alone what is right, and takes all of it away again.
//
// Whatever belongs to a cluster bears the cluster's label, and nothing without it is ever touched. What a node
// keeps lies in volumes, so that a container can be made anew, of a newer image too. Who starts first, who waits
// for whom, and whether a node is in its role is the business of forge-node inside.
//
// The package knows no recipes and no images but by their ids in the engine: its caller says what each node is.
package fleet

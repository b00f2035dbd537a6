// Package schema gives the JSON schemas of all files that people write: recipes and the inventory.
//
// Recipes bring their own; the inventory's is made here, because package cluster is part of
// forge-node and stays free of what only an editor needs.
//
// It promises: the same types give the same bytes, and a file is written only if its content changes.
package schema

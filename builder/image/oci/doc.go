// Package oci makes container images: it writes trees as layers, puts layers
// together into an OCI image layout, loads a layout into an engine, pushes it
// to a registry and pulls it back. A registry keeps disks too, and documents beside images.
//
// WriteLayer and WriteLayout promise equal bytes for equal input, whatever the
// number of cores. Layers are streamed and stay files; a layout has copies of
// its own, with shared blocks where the file system can. What is read back is
// verified: Validate compares every digest, and Push and Load stop when a
// layout is damaged.
//
// An image with stand-ins says so in its label StandInsLabel, and Push refuses it
// unless told otherwise.
//
// The package must not know recipes, steps or the store, how a tree was made,
// or any other kind of image.
//
// Specification: github.com/opencontainers/image-spec 1.1 (layout, manifest,
// config, layer), github.com/opencontainers/distribution-spec 1.1 (registries, referrers).
package oci

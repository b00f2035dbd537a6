// Package aptrepo keeps a signed apt repository in a folder: packages are added to it, and clients read it by
// http or as files while that is done.
//
//	dists/SUITE -> ../publications/SUITE/7   what clients see: the newest publication
//	publications/SUITE/7/                    InRelease, Release, Release.gpg, archive-key.asc
//	    main/binary-amd64/                   Packages, Packages.gz, Packages.xz, by-hash/SHA256/
//	    main/binary-all/                     the same, of packages for every architecture
//	pool/main/f/forge-zookeeper/*.deb
//
// It promises:
//
//   - A client never sees half a publication: its packages lie in the pool first, then its tree is complete and on
//     the disk, and one rename of the link in dists makes it the one that is seen. A client that read the release
//     file before the rename finds the indexes that it names by their hashes.
//   - Whatever ends a publisher, kill -9 and a full disk included, leaves what was published before; the next run removes the
//     remains. Publishers of one folder wait for each other.
//   - What is there already is checked against its signature before anything is added, packages included, and one
//     name and version never changes its content.
//   - The same packages, keys and time give the same bytes, with keys whose signatures are deterministic (RSA, Ed25519).
//
// It must not know what a role or a stack is, nor where the packages come from. It imports no other stage.
package aptrepo

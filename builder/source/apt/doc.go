// Package apt asks Debian's own apt which packages an image needs, and fetches them.
//
// It works in private roots: own state, own sources, own keyring, while the user's own settings
// for fetching (Acquire::*, proxies, credentials) still count. A [Mirror] says where Debian's
// archives are (the host's apt entries, or settings); [Client.Update] fetches the indexes, apt
// checks their signatures, and the result is a [Snapshot] directory that holds no address and so
// does not depend on the mirror; [Client.Solve] answers, without a network, what has to be
// installed and in which order; [Client.Fetch] puts the .debs into a store by digest.
//
// It promises: signatures are checked by apt against one keyring, never waived; what is fetched is
// compared with its sha256 before it is used; the same snapshot and request give the same
// answer on every machine; the host's apt and dpkg state is neither read nor changed.
//
// It must not know what a rootfs, a role or a lock file is.
package apt

// Package sandbox is the one place where forge starts programs, and where it hides from the host.
//
// Enter moves forge itself into a private mount and PID namespace, and first, when it is not
// root, into a user namespace in which the caller's subordinate ids are uids 1..65535. Run starts
// one program: inside a file tree (Spec.Root) or on the host. Overlay mounts a stack of trees.
//
// Promises:
//
//   - Whatever ends forge, kill -9 included, ends every process it started and every mount it
//     made: the kernel tears the namespaces down, no code of ours has to run.
//   - A program sees only the environment it is given. In a tree it sees a small /dev, its own
//     /proc, a read-only /sys, an empty /run and /tmp, no network unless asked for, and none of
//     the host's files but the given binds. Capabilities that reach the host past its
//     namespaces (modules, clock, raw I/O, reboot, device nodes) are gone.
//   - Paths of a tree are resolved inside the tree: a symbolic link in it cannot point a mount
//     at the host.
//   - fsync and its kin succeed at once in a tree (a seccomp filter): a tree is a work in
//     progress, what is worth keeping is synced by whoever stores it.
//   - Root and rootless behave alike.
//
// The package needs Linux 5.12 (mount_setattr, overlayfs in user namespaces with userxattr came
// with 5.11) on amd64 or arm64. main and every TestMain that uses Run call Init first.
//
// It must not know what is run, nor what a rootfs is.
package sandbox

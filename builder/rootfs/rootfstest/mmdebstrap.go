// Package rootfstest says in which paths a tree of forge differs from mmdebstrap's of the same packages,
// and why. The test of base trees and hack/bench read it.
package rootfstest

import (
	"path"
	"slices"

	"github.com/mesos-forge/forge/builder/rootfs"
)

// reasons are by path: of the path itself and of what lies in it. What Seal takes out is not among them.
var reasons = map[string]string{
	"./dev":                             "mmdebstrap makes device nodes; a user namespace cannot, and every user of the tree mounts its own /dev",
	"./etc/fstab":                       "mmdebstrap writes a comment; a disk gets its own",
	"./etc/hostname":                    "of the build host",
	"./etc/resolv.conf":                 "of the build host",
	"./etc/apt/sources.list.d":          "mmdebstrap leaves its mirror there; sources are the recipe's",
	"./etc/apt/sources.list":            "mmdebstrap leaves its mirror there; sources are the recipe's",
	"./run/lock/subsys":                 "of a sysv system",
	"./var/cache/apt/archives/lock":     "apt never ran in our tree",
	"./var/cache/apt/archives/partial":  "apt never ran in our tree",
	"./var/lib/apt/lists/lock":          "apt never ran in our tree",
	"./var/lib/apt/lists/partial":       "apt never ran in our tree",
	"./var/lib/apt/lists/auxfiles":      "apt never ran in our tree",
	"./var/lib/apt/extended_states":     "mmdebstrap marks nothing of the core",
	"./var/lib/dpkg/triggers/File":      "order of lines",
	"./var/lib/dpkg/available":          "empty",
	"./var/cache/debconf/passwords.dat": "empty",
}

// Explain returns why mmdebstrap's sealed tree and forge's differ there, or "".
func Explain(d rootfs.Difference) string {
	if slices.Equal(d.What, []string{"time"}) {
		return "time stamp of a file that the install wrote"
	}
	if r := reasons[d.Path]; r != "" {
		return r
	}
	return reasons["./"+path.Dir(d.Path[min(2, len(d.Path)):])]
}

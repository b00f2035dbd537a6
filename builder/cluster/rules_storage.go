package cluster

import (
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
)

// MaxLabel is the longest label of an ext4 file system, in bytes.
const MaxLabel = 16

var (
	diskLabel  = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,16}$`)
	diskDevice = regexp.MustCompile(`^/dev/[A-Za-z0-9_./:+-]{1,200}$`)
	nfsOptions = regexp.MustCompile(`^[a-z0-9_]+(=[A-Za-z0-9_.:/-]+)?(,[a-z0-9_]+(=[A-Za-z0-9_.:/-]+)?)*$`)
)

// disks checks the data disks of one node.
func (c *checker) disks(at string, n Node) {
	seen := map[string]string{}
	once := func(at, what, v string) {
		key := what + " " + v
		if other, ok := seen[key]; ok && v != "" {
			c.add(at, "duplicate-disk", fmt.Sprintf("node %q has the %s %s twice, also in %s", n.Name, what, v, other), "each disk has its own")
			return
		}
		seen[key] = at
	}
	for i, d := range n.Disks {
		here := fmt.Sprintf("%s.disks[%d]", at, i)
		c.mount(here+".mount", d.Mount)
		once(here+".mount", "mount", d.Mount)
		switch {
		case d.Device == "":
			c.add(here+".device", "required", fmt.Sprintf("the disk at %s has no device", d.Mount), "write one such as /dev/vdb or, better, /dev/disk/by-id/...")
		case !diskDevice.MatchString(d.Device) || path.Clean(d.Device) != d.Device:
			c.add(here+".device", "device", fmt.Sprintf("%q is not a device below /dev", d.Device), "write one such as /dev/vdb or /dev/disk/by-id/...")
		}
		once(here+".device", "device", d.Device)
		label := or(d.Label, labelOf(d.Mount))
		if !diskLabel.MatchString(label) {
			c.add(here+".label", "label", fmt.Sprintf("%q is not a label of a file system: at most %d of A-Z, a-z, 0-9, _ . and -", label, MaxLabel), "write one such as data-1")
		}
		once(here+".label", "label", label)
	}
}

// mount checks a mount point. Mounts below a directory of the system are what disks are for
// (/var/lib/hadoop-hdfs); the directory itself, or anything below those that boot, is not.
func (c *checker) mount(at, mount string) {
	if mount == "" {
		c.add(at, "required", "a mount point is missing", "write one such as /data/1")
		return
	}
	before := len(c.problems)
	c.dir(at, mount)
	if len(c.problems) > before {
		return
	}
	top, _, _ := strings.Cut(strings.TrimPrefix(mount, "/"), "/")
	if slices.Contains([]string{"bin", "boot", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "usr", "tmp"}, top) {
		c.add(at, "directory", fmt.Sprintf("%s lies below /%s, which is the system's", mount, top), "mount it below /data, /mnt, /srv or /var/lib")
	}
}

func (c *checker) nfs() {
	mounts := map[string]bool{}
	for i, f := range c.inv.NFS {
		at := fmt.Sprintf("nfs[%d]", i)
		c.mount(at+".mount", f.Mount)
		if mounts[f.Mount] && f.Mount != "" {
			c.add(at+".mount", "duplicate-disk", fmt.Sprintf("%s is mounted twice", f.Mount), "")
		}
		mounts[f.Mount] = true
		c.nfsSource(at+".source", f.Source)
		c.nodeList(at+".nodes", f.Nodes)
		if f.Options != "" && !nfsOptions.MatchString(f.Options) {
			c.add(at+".options", "nfs", fmt.Sprintf("%q are no mount options", f.Options), "write them as hard,noatime")
		}
		users := f.Nodes
		if len(users) == 0 {
			users = []string{c.inv.nameNode()}
		}
		for _, n := range c.inv.named(users, nil) {
			for _, d := range n.Disks {
				if d.Mount == f.Mount {
					c.add(at+".mount", "duplicate-disk", fmt.Sprintf("node %q has a data disk at %s", n.Name, f.Mount), "use another mount point")
				}
			}
		}
	}
}

// nfsSource checks "host:/path"; IPv6 addresses stand in brackets.
func (c *checker) nfsSource(at, source string) {
	if source == "" {
		c.add(at, "required", "the source of an NFS is missing", "write it as 10.162.2.90:/export/dfs")
		return
	}
	i := strings.Index(source, ":/")
	if i <= 0 {
		c.add(at, "nfs", fmt.Sprintf("%q is not host:/path", source), "write it as 10.162.2.90:/export/dfs")
		return
	}
	host, dir := strings.Trim(source[:i], "[]"), source[i+1:]
	if _, err := netip.ParseAddr(host); err != nil && !hostName(host) {
		c.add(at, "nfs", fmt.Sprintf("%q is neither a host name nor an address", host), "write it as 10.162.2.90:/export/dfs")
	}
	if path.Clean(dir) != dir || strings.ContainsAny(dir, " ,\t\n\\") {
		c.add(at, "nfs", fmt.Sprintf("%q is not a plain path", dir), "write it as 10.162.2.90:/export/dfs")
	}
}

// nameNode is the node that NFS are mounted on by default, or "".
func (inv *Inventory) nameNode() string {
	masters := inv.NodesOf(RoleMaster)
	switch ha := inv.HDFS.HA; {
	case ha != nil && len(ha.NameNodes) > 0:
		return ha.NameNodes[0]
	case ha == nil && inv.HDFS.NameNode != "":
		return inv.HDFS.NameNode
	case len(masters) > 0:
		return masters[0].Name
	}
	return ""
}

package node

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesos-forge/forge/builder/cluster"
)

// Facts are what makes one machine another one than its siblings, and what a
// test of an image wants to know from inside.
type Facts struct {
	Hostname   string            `json:"hostname"`
	MachineID  string            `json:"machine_id"`
	InstanceID string            `json:"instance_id"`
	BootID     string            `json:"boot_id"`
	Kernel     string            `json:"kernel"`
	HostKeys   map[string]string `json:"host_keys"` // type to fingerprint, as ssh-keygen -l prints it
	Addresses  []string          `json:"addresses"`
	Link       bool              `json:"link"` // an interface but loopback is up
	Listening  []Listener        `json:"listening"`
	RootBytes  uint64            `json:"root_bytes"` // size of the root file system
	RootFree   uint64            `json:"root_free"`
	Machine    cluster.Machine   `json:"machine"`
	Errors     []string          `json:"errors"` // what could not be found out
}

// Facts gathers them; it always gives an answer.
func (n *Node) Facts() *Facts {
	f := &Facts{HostKeys: map[string]string{}, Addresses: []string{}, Listening: []Listener{}, Errors: []string{}, Machine: n.Machine()}
	note := func(err error) {
		if err != nil {
			f.Errors = append(f.Errors, err.Error())
		}
	}
	var err error
	f.Hostname, err = n.Hostname()
	note(err)
	for path, to := range map[string]*string{"/etc/machine-id": &f.MachineID, "/proc/sys/kernel/random/boot_id": &f.BootID, "/proc/sys/kernel/osrelease": &f.Kernel} {
		data, err := readBounded(n.path(path), 4096)
		note(err)
		*to = strings.TrimSpace(string(data))
	}
	if d, err := n.instanceData(); err == nil {
		f.InstanceID = d.V1.InstanceID
	} else {
		note(err)
	}
	note(n.hostKeys(f.HostKeys))
	addresses, link, err := n.Addresses()
	note(err)
	f.Link = link
	for _, a := range addresses {
		f.Addresses = append(f.Addresses, a.String())
	}
	if listeners, err := n.Listeners(); err == nil {
		f.Listening = listeners
	} else {
		note(err)
	}
	var fs unix.Statfs_t
	note(unix.Statfs(n.Root, &fs))
	f.RootBytes, f.RootFree = fs.Blocks*uint64(fs.Bsize), fs.Bavail*uint64(fs.Bsize)
	slices.Sort(f.Errors)
	return f
}

// hostKeys fills in fingerprints of the public SSH host keys: base64 of the
// sha256 of the key blob, without padding.
func (n *Node) hostKeys(to map[string]string) error {
	files, err := filepath.Glob(n.path("/etc/ssh/ssh_host_*_key.pub"))
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := readBounded(file, 1<<16)
		if err != nil {
			return err
		}
		fields := strings.Fields(string(data))
		if len(fields) < 2 {
			return fmt.Errorf("%s is not a public key", file)
		}
		blob, err := base64.StdEncoding.DecodeString(fields[1])
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		sum := sha256.Sum256(blob)
		to[fields[0]] = "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
	}
	return nil
}

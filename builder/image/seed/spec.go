package seed

import (
	"fmt"
	"strings"
	"time"
)

// Bounds of a Spec.
const (
	// MaxInventory is the largest inventory a seed carries, in bytes.
	MaxInventory = 1 << 20
	// MaxPart is the largest user-data of the operator's own, in bytes, of one file.
	MaxPart    = 256 << 10
	maxName    = 63 // RFC 1035, section 2.3.4: one label
	maxKeys    = 64
	maxKeyLine = 16 << 10
	maxDNS     = 8
	maxParts   = 16
	// maxCloudConfig bounds the parser, which takes a few seconds for the worst of that size.
	maxCloudConfig = 64 << 10
	maxMounts      = 64
	maxSecrets     = 64
)

// Spec describes the seed of one node.
type Spec struct {
	// Node and Role are DNS labels: a-z, 0-9 and inner hyphens, at most 63 bytes.
	Node, Role string
	// Inventory becomes /etc/forge/cluster.yaml. Empty: the node uses the one
	// that its image holds. At most MaxInventory bytes.
	Inventory []byte
	// Address is the node's address with its prefix length, such as
	// "10.0.0.11/24". Empty: the node asks DHCP.
	Address string
	// Gateway is the address of the default route, inside Address's network.
	// Empty: no default route.
	Gateway string
	// DNS holds name servers' addresses.
	DNS []string
	// SSHKeys holds lines as in authorized_keys, without options.
	SSHKeys []string
	// Mounts are what the node mounts. The network file systems become
	// cloud-config; the data disks stand here so that nothing else takes them.
	Mounts []Mount
	// Secrets by name become files in [node.SecretsDir], mode 0600.
	Secrets map[string]string
	// Parts are the operator's own user-data.
	Parts []Part
	// Identity says which files of the seed say node and role; "" is [Both].
	Identity Identity
	// Shell opens a root shell without a password on the first serial port.
	Shell bool
	// Epoch is the time of everything in the image, 1970 to 2099; whole
	// seconds count, the time zone does not.
	Epoch time.Time
}

// Mount is one file system of the node.
type Mount struct {
	Path    string // where it is mounted
	Source  string // of NFS: "10.162.2.90:/export/dfs"; "" for a data disk
	Device  string // of a data disk; "" for NFS
	Options string // as in fstab
}

// Identity is where a seed says which node and role the machine is. The host
// name is in every seed: it is not what forge-node goes by.
type Identity string

// Places of a node's identity.
const (
	Both       Identity = "both"      // the default: the next two
	InUserData Identity = "user-data" // as /etc/forge/node.yaml
	InMetaData Identity = "meta-data" // as its key forge
	Nowhere    Identity = "none"      // the kernel command line says it, or the machine's address
)

// Identities returns all places of a node's identity, the default first.
func Identities() []Identity { return []Identity{Both, InUserData, InMetaData, Nowhere} }

// SpecError says which field of a Spec is refused.
type SpecError struct {
	Node  string // the node's name as given
	Field string // the field of Spec
	Err   error  // why, and what is expected
}

func (e *SpecError) Error() string {
	field := strings.ToLower(e.Field)
	if words, ok := fieldWords[e.Field]; ok {
		field = words
	}
	return fmt.Sprintf("seed of node %q: %s: %v", e.Node, field, e.Err)
}

// fieldWords are fields of Spec in the words of those who never see it.
var fieldWords = map[string]string{"DNS": "name servers", "SSHKeys": "SSH keys", "Parts": "user-data", "Identity": "place of the identity"}

func (e *SpecError) Unwrap() error { return e.Err }

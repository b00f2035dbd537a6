package seed

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/goccy/go-yaml"
)

// Names of a NoCloud seed's files (cloud-init, NoCloud data source).
const (
	UserData      = "user-data"
	MetaData      = "meta-data"
	NetworkConfig = "network-config"
)

type metaData struct {
	InstanceID    text      `yaml:"instance-id"`
	LocalHostname text      `yaml:"local-hostname"`
	Forge         *identity `yaml:"forge,omitempty"`
}

// Files returns the contents of user-data, meta-data and network-config, by
// name. The instance-id is the node's name and 12 hexadecimal digits of the
// SHA-256 of all that the seed says: cloud-init applies a changed seed as a new
// instance. A Spec that is refused is a *SpecError.
func Files(spec Spec) (map[string][]byte, error) {
	if err := spec.validate(); err != nil {
		return nil, err
	}
	files, err := noCloudFiles(spec)
	if err != nil {
		return nil, fmt.Errorf("seed of node %q: %w", spec.Node, err)
	}
	return files, nil
}

// noCloudFiles takes a validated spec.
func noCloudFiles(spec Spec) (map[string][]byte, error) {
	user, err := userDataOf(spec)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", UserData, err)
	}
	network, err := yaml.Marshal(networkOf(spec))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", NetworkConfig, err)
	}
	meta := metaData{LocalHostname: text(spec.Node), Forge: spec.identityIn(InMetaData)}
	said, err := yaml.Marshal(meta)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", MetaData, err)
	}
	meta.InstanceID = text(spec.Node + "-" + fingerprint(user, network, said)[:12])
	said, err = yaml.Marshal(meta)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", MetaData, err)
	}
	return map[string][]byte{UserData: user, MetaData: said, NetworkConfig: network}, nil
}

// fingerprint is the SHA-256 of all contents in hexadecimal. Each counts with
// its length, so that bytes which move from one to the next change it.
func fingerprint(contents ...[]byte) string {
	h := sha256.New()
	for _, c := range contents {
		fmt.Fprintf(h, "%d\n%s", len(c), c)
	}
	return hex.EncodeToString(h.Sum(nil))
}

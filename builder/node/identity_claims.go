package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/cluster"
)

const (
	nodePath         = "/etc/forge/node.yaml"
	instanceDataPath = "/run/cloud-init/instance-data.json"
	commandLinePath  = "/proc/cmdline"

	commandLinePrefix = "forge."

	maxNodeFile     = 1 << 16
	maxInstanceData = 16 << 20
	maxCommandLine  = 1 << 16
)

// Claims reads all the places that may say who the machine is, in the order of
// trust.
func (n *Node) Claims() ([]Claim, error) {
	readers := []func() (Claim, error){n.claimFile, n.claimCloudInit, n.claimKernel}
	if n.Container { // /proc/cmdline is the host's
		readers[2] = n.claimEnvironment
	}
	var claims []Claim
	for _, read := range readers {
		c, err := read()
		if err != nil {
			return nil, err
		}
		if c.Node != "" || c.Role != "" {
			claims = append(claims, c)
		}
	}
	return claims, nil
}

// readIfThere returns nil for a file that does not exist.
func (n *Node) readIfThere(path string, limit int64) ([]byte, error) {
	data, err := readBounded(n.path(path), limit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (n *Node) claimFile() (Claim, error) {
	data, err := n.readIfThere(nodePath, maxNodeFile)
	if err != nil || data == nil {
		return Claim{}, err
	}
	return parseNodeFile(data)
}

func parseNodeFile(data []byte) (Claim, error) {
	var file struct {
		Node string `yaml:"node"`
		Role string `yaml:"role"`
	}
	err := cluster.DecodeStrict(nodePath, strings.NewReader(string(data)), &file)
	return Claim{Source: nodePath, Node: file.Node, Role: file.Role}, err
}

// instanceData is the part of cloud-init's instance-data.json that counts.
type instanceData struct {
	DS struct {
		MetaData metaData `json:"meta_data"` // NoCloud, ConfigDrive, OpenStack
		EC2      metaData `json:"meta-data"` // EC2: what its service said, as it said it
	} `json:"ds"`
	V1 struct {
		InstanceID string `json:"instance_id"`
	} `json:"v1"`
}

type metaData struct {
	Forge keyValues `json:"forge"` // NoCloud's meta-data file
	Meta  keyValues `json:"meta"`  // OpenStack: the server's properties
	Tags  tags      `json:"tags"`  // EC2: the instance's tags, where it may read them
}

// keyValues are a map that others write too: of what is not text, only what is
// forge's own is an error.
type keyValues map[string]any

// UnmarshalJSON implements json.Unmarshaler: what is not a map holds no properties.
func (p *keyValues) UnmarshalJSON(data []byte) error {
	var m map[string]any
	if json.Unmarshal(data, &m) == nil {
		*p = m
	}
	return nil
}

type tags struct{ Instance keyValues }

// UnmarshalJSON implements json.Unmarshaler: an instance without tags has no map.
func (t *tags) UnmarshalJSON(data []byte) error {
	var m struct {
		Instance keyValues `json:"instance"`
	}
	if json.Unmarshal(data, &m) == nil {
		t.Instance = m.Instance
	}
	return nil
}

func (n *Node) instanceData() (*instanceData, error) {
	data, err := n.readIfThere(instanceDataPath, maxInstanceData)
	if err != nil || data == nil {
		return &instanceData{}, err
	}
	return parseInstanceData(data)
}

func parseInstanceData(data []byte) (*instanceData, error) {
	d := &instanceData{}
	if err := json.Unmarshal(data, d); err != nil {
		return nil, fmt.Errorf("%s: %w", instanceDataPath, err)
	}
	return d, nil
}

func (n *Node) claimCloudInit() (Claim, error) {
	d, err := n.instanceData()
	if err != nil {
		return Claim{}, err
	}
	return d.claim()
}

func (d *instanceData) claim() (Claim, error) {
	c := Claim{Source: "cloud-init's meta-data"}
	for _, m := range []metaData{d.DS.MetaData, d.DS.EC2} {
		for _, key := range slices.Sorted(maps.Keys(m.Forge)) {
			if err := checkKey(c.Source+": forge", key); err != nil {
				return c, err
			}
		}
	}
	for _, says := range []struct {
		what string
		to   *string
	}{{"node", &c.Node}, {"role", &c.Role}} {
		values, err := append(d.DS.MetaData.all(), d.DS.EC2.all()...).of(says.what)
		if err != nil {
			return c, fmt.Errorf("%s: %w", c.Source, err)
		}
		if *says.to, err = oneValue(c.Source, says.what, values); err != nil {
			return c, err
		}
	}
	return c, nil
}

// checkKey refuses what a place that is forge's own says beside node and role: it is one of them, misspelt.
func checkKey(source, key string) error {
	known := []string{"node", "role"}
	if slices.Contains(known, key) {
		return nil
	}
	return fmt.Errorf("%s: unknown key %q%s; known: node, role", source, key, cluster.DidYouMean(key, known))
}

// said are the maps of meta-data that may say who the machine is.
type said []keyValues

// all puts the keys of the map "forge" into the form that they have elsewhere.
func (m metaData) all() said {
	forge := keyValues{}
	for k, v := range m.Forge {
		forge["forge."+k] = v
	}
	return said{forge, m.Meta, m.Tags.Instance}
}

// of returns all that is said about a node or a role. Clouds differ in which
// letters a key may have.
func (s said) of(what string) ([]string, error) {
	var values []string
	for _, m := range s {
		for _, separator := range []string{".", "_", "-"} {
			key := "forge" + separator + what
			switch v := m[key].(type) {
			case nil:
			case string:
				if v != "" {
					values = append(values, v)
				}
			default:
				return nil, fmt.Errorf("%s is %v, which is not text; put the name of a %s there, in quotes", key, v, what)
			}
		}
	}
	return values, nil
}

// oneValue returns the one value that a source gives for a name, or "".
func oneValue(source, name string, values []string) (string, error) {
	slices.Sort(values)
	values = slices.Compact(values)
	if len(values) > 1 {
		return "", fmt.Errorf("%s gives %s twice: %s", source, name, strings.Join(values, " and "))
	}
	return strings.Join(values, ""), nil
}

func (n *Node) claimKernel() (Claim, error) {
	data, err := n.readIfThere(commandLinePath, maxCommandLine)
	if err != nil {
		return Claim{}, err
	}
	return parseCommandLine(string(data))
}

// parseCommandLine reads forge.node= and forge.role=. The kernel's quotes may
// stand around a value or the whole word.
func parseCommandLine(line string) (Claim, error) {
	c := Claim{Source: "the kernel command line"}
	values := map[string][]string{}
	for _, word := range strings.Fields(line) {
		key, value, _ := strings.Cut(strings.Trim(word, `"`), "=")
		name, ours := strings.CutPrefix(key, commandLinePrefix)
		if !ours {
			continue
		}
		if err := checkKey(c.Source+": "+key, name); err != nil {
			return c, err
		}
		if value = strings.Trim(value, `"`); value != "" {
			values[name] = append(values[name], value)
		}
	}
	var err error
	if c.Node, err = oneValue(c.Source, commandLinePrefix+"node", values["node"]); err != nil {
		return c, err
	}
	c.Role, err = oneValue(c.Source, commandLinePrefix+"role", values["role"])
	return c, err
}

func (n *Node) claimEnvironment() (Claim, error) {
	return Claim{Source: "the container's environment (FORGE_NODE, FORGE_ROLE)", Node: n.Getenv("FORGE_NODE"), Role: n.Getenv("FORGE_ROLE")}, nil
}

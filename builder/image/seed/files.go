package seed

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/goccy/go-yaml"
)

// Names of a seed's files (cloud-init, NoCloud data source).
const (
	UserData      = "user-data"
	MetaData      = "meta-data"
	NetworkConfig = "network-config"
)

// text is always quoted: cloud-init reads YAML 1.1, where bare words such as
// no, 0b1 or 1:2:3:4:5:6:7:8 are not text.
type text string

// MarshalYAML implements yaml.BytesMarshaler. Its callers hold printable text
// alone, so a JSON string is the same in YAML.
func (t text) MarshalYAML() ([]byte, error) { return json.Marshal(string(t)) }

type userData struct {
	Hostname       text        `yaml:"hostname"`
	ManageEtcHosts bool        `yaml:"manage_etc_hosts"`
	SSHKeys        []text      `yaml:"ssh_authorized_keys,omitempty"`
	WriteFiles     []writeFile `yaml:"write_files,omitempty"`
	BootCommands   [][]string  `yaml:"bootcmd,omitempty"`
}

type writeFile struct {
	Path        string `yaml:"path"`
	Owner       string `yaml:"owner"`
	Permissions string `yaml:"permissions"`
	Encoding    string `yaml:"encoding,omitempty"`
	Content     string `yaml:"content"`
}

// identity is /etc/forge/node.yaml, and the key "forge" of the meta-data.
type identity struct {
	Role text `yaml:"role"`
	Node text `yaml:"node"`
}

// identityIn returns what the seed's file says about who the node is, or nil.
func (s Spec) identityIn(place Identity) *identity {
	if s.Identity == "" || s.Identity == Both || s.Identity == place {
		return &identity{Role: text(s.Role), Node: text(s.Node)}
	}
	return nil
}

type metaData struct {
	InstanceID    text      `yaml:"instance-id"`
	LocalHostname text      `yaml:"local-hostname"`
	Forge         *identity `yaml:"forge,omitempty"`
}

type networkConfig struct {
	Version   int       `yaml:"version"`
	Ethernets ethernets `yaml:"ethernets"`
}

// ethernets has one key, which is itself the pattern: the networkd renderer
// of cloud-init 22.4 ignores match and writes the key as the link's name.
type ethernets struct {
	All ethernet `yaml:"e*"`
}

type ethernet struct {
	Match       match        `yaml:"match"`
	Optional    bool         `yaml:"optional"` // or boot waits two minutes for a link
	DHCP4       bool         `yaml:"dhcp4"`
	Addresses   []text       `yaml:"addresses,omitempty"`
	Routes      []route      `yaml:"routes,omitempty"`
	NameServers *nameServers `yaml:"nameservers,omitempty"`
}

type match struct {
	Name text `yaml:"name"`
}

type route struct {
	To  text `yaml:"to"`
	Via text `yaml:"via"`
}

type nameServers struct {
	Addresses []text `yaml:"addresses"`
}

// autologin opens the shell at this boot: it replaces the command of serial-getty@.service, which
// starts after cloud-init's first stage. bootcmd is the one command of that stage.
const autologin = `set -e
dir=/run/systemd/system/serial-getty@ttyS0.service.d
mkdir -p $dir
cat >$dir/autologin.conf <<'END'
[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --keep-baud 115200,57600,38400,9600 %I $TERM
END
systemctl daemon-reload
`

// Files returns the contents of user-data, meta-data and network-config, by
// name. The instance-id is the node's name and 12 hexadecimal digits of the
// other files' SHA-256: cloud-init applies a changed seed as a new instance.
// A Spec that is refused is a *SpecError.
func Files(spec Spec) (map[string][]byte, error) {
	if err := spec.validate(); err != nil {
		return nil, err
	}
	user, err := userDataOf(spec)
	if err != nil {
		return nil, fmt.Errorf("seed of node %q: %s: %w", spec.Node, UserData, err)
	}
	network, err := yaml.Marshal(networkOf(spec))
	if err != nil {
		return nil, fmt.Errorf("seed of node %q: %s: %w", spec.Node, NetworkConfig, err)
	}
	meta, err := yaml.Marshal(metaData{
		InstanceID:    text(spec.Node + "-" + fingerprint(user, network)),
		LocalHostname: text(spec.Node),
		Forge:         spec.identityIn(InMetaData),
	})
	if err != nil {
		return nil, fmt.Errorf("seed of node %q: %s: %w", spec.Node, MetaData, err)
	}
	return map[string][]byte{UserData: user, MetaData: meta, NetworkConfig: network}, nil
}

// fingerprint names each file and its length, so that bytes which move from
// one file to the next change it.
func fingerprint(user, network []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d\n%s", UserData, len(user), user)
	fmt.Fprintf(h, "%s %d\n%s", NetworkConfig, len(network), network)
	return hex.EncodeToString(h.Sum(nil))[:12]
}

func userDataOf(spec Spec) ([]byte, error) {
	u := userData{Hostname: text(spec.Node)}
	if id := spec.identityIn(InUserData); id != nil {
		content, err := yaml.Marshal(id)
		if err != nil {
			return nil, err
		}
		u.WriteFiles = append(u.WriteFiles, rootFile("/etc/forge/node.yaml", string(content)))
	}
	for _, key := range spec.SSHKeys {
		u.SSHKeys = append(u.SSHKeys, text(strings.TrimSpace(key)))
	}
	if len(spec.Inventory) > 0 {
		packed, err := pack(spec.Inventory)
		if err != nil {
			return nil, err
		}
		f := rootFile("/etc/forge/cluster.yaml", packed)
		f.Encoding = "gz+b64"
		u.WriteFiles = append(u.WriteFiles, f)
	}
	if spec.Shell {
		u.BootCommands = [][]string{{"sh", "-c", autologin}}
	}
	body, err := yaml.MarshalWithOptions(u, yaml.UseLiteralStyleIfMultiline(true))
	if err != nil {
		return nil, err
	}
	return append([]byte("#cloud-config\n"), body...), nil
}

func rootFile(path, content string) writeFile {
	return writeFile{Path: path, Owner: "root:root", Permissions: "0644", Content: content}
}

// pack compresses without a name or a time, so equal input gives equal text.
func pack(b []byte) (string, error) {
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := z.Write(b); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(buf.Bytes()), nil
}

// networkOf takes a validated spec.
func networkOf(spec Spec) networkConfig {
	e := ethernet{Match: match{Name: "e*"}, Optional: true, DHCP4: spec.Address == ""}
	if spec.Address != "" {
		e.Addresses = []text{text(spec.Address)}
	}
	if spec.Gateway != "" {
		// Not "default": cloud-init 22.4 refuses the word.
		to := text("0.0.0.0/0")
		if a, err := netip.ParseAddr(spec.Gateway); err == nil && a.Is6() {
			to = "::/0"
		}
		e.Routes = []route{{To: to, Via: text(spec.Gateway)}}
	}
	if len(spec.DNS) > 0 {
		e.NameServers = &nameServers{}
		for _, server := range spec.DNS {
			e.NameServers.Addresses = append(e.NameServers.Addresses, text(server))
		}
	}
	return networkConfig{Version: 2, Ethernets: ethernets{All: e}}
}

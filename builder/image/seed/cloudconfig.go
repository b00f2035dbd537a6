package seed

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/mesos-forge/forge/builder/node"
)

// text is always quoted: cloud-init reads YAML 1.1, where bare words such as
// no, 0b1 or 1:2:3:4:5:6:7:8 are not text.
type text string

// MarshalYAML implements yaml.BytesMarshaler. Its callers hold printable text
// alone, so a JSON string is the same in YAML.
func (t text) MarshalYAML() ([]byte, error) { return json.Marshal(string(t)) }

// cloudConfig is what forge itself says in the user-data.
type cloudConfig struct {
	Hostname       text        `yaml:"hostname"`
	ManageEtcHosts bool        `yaml:"manage_etc_hosts"`
	SSHKeys        []text      `yaml:"ssh_authorized_keys,omitempty"`
	WriteFiles     []writeFile `yaml:"write_files,omitempty"`
	Mounts         [][]text    `yaml:"mounts,omitempty"`
	BootCommands   [][]string  `yaml:"bootcmd,omitempty"`
}

type writeFile struct {
	Path        string `yaml:"path"`
	Owner       string `yaml:"owner"`
	Permissions string `yaml:"permissions"`
	Encoding    string `yaml:"encoding,omitempty"`
	Content     string `yaml:"content"`
}

// Files on the node that a seed writes.
const (
	nodeFile      = "/etc/forge/node.yaml"
	inventoryFile = "/etc/forge/cluster.yaml"
)

// identity is /etc/forge/node.yaml, and the key "forge" of NoCloud's meta-data.
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

// cloudConfigOf takes a validated spec. Its result begins with "#cloud-config".
func cloudConfigOf(spec Spec) ([]byte, error) {
	c := cloudConfig{Hostname: text(spec.Node), Mounts: mountsOf(spec)}
	for _, key := range spec.SSHKeys {
		c.SSHKeys = append(c.SSHKeys, text(strings.TrimSpace(key)))
	}
	var err error
	if c.WriteFiles, err = writeFilesOf(spec); err != nil {
		return nil, err
	}
	if len(spec.Secrets) > 0 {
		// write_files makes a folder that anyone may read, and a file's mode after its content.
		c.BootCommands = append(c.BootCommands, []string{"install", "-d", "-m", "0700", node.SecretsDir})
	}
	if spec.Shell {
		c.BootCommands = append(c.BootCommands, []string{"sh", "-c", autologin})
	}
	body, err := yaml.MarshalWithOptions(c, yaml.UseLiteralStyleIfMultiline(true))
	if err != nil {
		return nil, err
	}
	return append([]byte(cloudConfigHeader+"\n"), body...), nil
}

func writeFilesOf(spec Spec) ([]writeFile, error) {
	var files []writeFile
	if id := spec.identityIn(InUserData); id != nil {
		content, err := yaml.Marshal(id)
		if err != nil {
			return nil, err
		}
		files = append(files, rootFile(nodeFile, string(content)))
	}
	if len(spec.Inventory) > 0 {
		packed, err := pack(spec.Inventory)
		if err != nil {
			return nil, err
		}
		f := rootFile(inventoryFile, base64.StdEncoding.EncodeToString(packed))
		f.Encoding = "gz+b64"
		files = append(files, f)
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Secrets)) {
		f := rootFile(path.Join(node.SecretsDir, name), base64.StdEncoding.EncodeToString([]byte(spec.Secrets[name]+"\n")))
		f.Permissions, f.Encoding = "0600", "b64"
		files = append(files, f)
	}
	return files, nil
}

// mountsOf lists the network file systems, each as a line of fstab (fstab(5)).
// A server that does not answer must delay a boot, not end it in the emergency
// shell (nofail); forge-node waits for the attempt, and says itself what is
// missing then.
func mountsOf(spec Spec) [][]text {
	var mounts [][]text
	for _, m := range spec.Mounts {
		if m.Source == "" { // forge-node's own: it knows a blank disk from one with data
			continue
		}
		options := strings.Split(m.Options, ",")
		for _, o := range []string{"nofail", "_netdev", "x-systemd.before=forge-node.service"} {
			if !slices.Contains(options, o) {
				options = append(options, o)
			}
		}
		if m.Options == "" {
			options[0] = "defaults"
		}
		mounts = append(mounts, []text{text(m.Source), text(m.Path), "nfs", text(strings.Join(options, ",")), "0", "0"})
	}
	return mounts
}

func rootFile(path, content string) writeFile {
	return writeFile{Path: path, Owner: "root:root", Permissions: "0644", Content: content}
}

// pack compresses without a name or a time, so equal input gives equal bytes.
func pack(b []byte) ([]byte, error) {
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(b); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return buf.Bytes(), nil
}

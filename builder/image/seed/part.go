package seed

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"mime/multipart"
	"net/textproto"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Part is user-data of the operator's own, beside forge's: a file that begins
// with "#cloud-config", "#cloud-boothook" or "#!" (a script that runs once, at
// the end of the first boot). cloud-init gets its bytes as they are. A
// cloud-config's lists are appended to forge's.
type Part struct {
	Name    string // of the file, for messages
	Content []byte
}

const cloudConfigHeader = "#cloud-config"

// partTypes are the user-data formats that may stand beside forge's, by how
// they begin (cloud-init, user-data formats).
var partTypes = []struct{ begins, mime string }{
	{cloudConfigHeader, "text/cloud-config"},
	{"#cloud-boothook", "text/cloud-boothook"},
	{"#!", "text/x-shellscript"},
}

// mimeType returns "" for a format that a seed does not carry.
func (p Part) mimeType() string {
	line, _, _ := bytes.Cut(p.Content, []byte("\n"))
	for _, t := range partTypes {
		first := string(bytes.TrimRight(line, " \t\r"))
		if first == t.begins || t.begins == "#!" && strings.HasPrefix(first, t.begins) {
			return t.mime
		}
	}
	return ""
}

// heeded are the keys that the modules of cloud-init read which forge's images run
// (overlays/boot, cloud.cfg.d/90-forge.cfg), and those of cloud-init itself.
var heeded = []string{
	"allow_public_ssh_keys", "authkey_hash", "bootcmd", "chpasswd", "disable_root", "disable_root_opts", "final_message", "fqdn", "groups",
	"hostname", "manage_etc_hosts", "mount_default_fields", "mounts", "no_ssh_fingerprints", "output", "password",
	"prefer_fqdn_over_hostname", "preserve_hostname", "random_seed", "runcmd", "ssh_authorized_keys", "ssh_deletekeys",
	"ssh_genkeytypes", "ssh_keys", "ssh_publish_hostkeys", "ssh_pwauth",
	"ssh_quiet_keygen", "swap", "user", "users", "write_files",
}

// Ignored returns the keys of a cloud-config that forge's images do nothing
// for, sorted; nil for other user-data.
func (p Part) Ignored() []string {
	var config map[string]any
	if p.mimeType() != "text/cloud-config" || yaml.Unmarshal(p.Content, &config) != nil {
		return nil
	}
	for _, key := range heeded {
		delete(config, key)
	}
	return slices.Sorted(maps.Keys(config))
}

// userDataOf takes a validated spec: forge's cloud-config, and where there are
// other parts a MIME archive that begins with it.
func userDataOf(spec Spec) ([]byte, error) {
	own, err := cloudConfigOf(spec)
	if err != nil || len(spec.Parts) == 0 {
		return own, err
	}
	all := append([]Part{{Name: "forge.yaml", Content: own}}, spec.Parts...)
	var contents [][]byte
	for _, p := range all {
		contents = append(contents, p.Content)
	}
	boundary := "forge-" + fingerprint(contents...) // of all that it divides, so in none of it
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	if err := w.SetBoundary(boundary); err != nil {
		return nil, err
	}
	for i, p := range all {
		if err := writePart(w, i, p); err != nil {
			return nil, fmt.Errorf("part %s: %w", p.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	head := fmt.Sprintf("Content-Type: multipart/mixed; boundary=%q\nMIME-Version: 1.0\n\n", boundary)
	return append([]byte(head), bytes.ReplaceAll(body.Bytes(), []byte("\r\n"), []byte("\n"))...), nil
}

// writePart writes content in base64, which carries line endings and letters
// of all kinds. The merge type (cloud-init, merging user-data sections) keeps
// what is there already and appends lists.
func writePart(w *multipart.Writer, i int, p Part) error {
	h := textproto.MIMEHeader{}
	h.Set("Content-Type", p.mimeType()+"; charset=utf-8")
	h.Set("Content-Transfer-Encoding", "base64")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%d-%s"`, i, plainName(p.Name)))
	h.Set("X-Merge-Type", "dict(no_replace,recurse_list)+list(append)+str()")
	part, err := w.CreatePart(h)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(p.Content)), 76) {
		if _, err := fmt.Fprintf(part, "%s\n", chunk); err != nil {
			return err
		}
	}
	return nil
}

// plainName is a file's name with nothing in it that a MIME header or a shell reads.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)) {
			return r
		}
		return '_'
	}, path.Base(name))
}

func checkParts(spec Spec) error {
	if len(spec.Parts) > maxParts {
		return fmt.Errorf("%d files of user-data are more than %d", len(spec.Parts), maxParts)
	}
	for _, p := range spec.Parts {
		if err := p.check(spec); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return nil
}

func (p Part) check(spec Spec) error {
	if len(p.Content) > MaxPart {
		return fmt.Errorf("%d bytes are more than %d; let a script fetch what is large", len(p.Content), MaxPart)
	}
	if !utf8.Valid(p.Content) || bytes.IndexByte(p.Content, 0) >= 0 {
		return errors.New("not a text in UTF-8; give one file of plain text for each part, not an archive of them")
	}
	switch p.mimeType() {
	case "":
		return errors.New(`its first line is none of "#cloud-config", "#cloud-boothook", "#!PROGRAM"; add the line that fits, and give each part of a MIME archive as a file of its own`)
	case "text/cloud-config":
		return checkCloudConfig(p.Content, spec)
	}
	return nil
}

// checkCloudConfig refuses what YAML reads in two ways, and what contradicts forge.
func checkCloudConfig(content []byte, spec Spec) error {
	if len(content) > maxCloudConfig {
		return fmt.Errorf("%d bytes are more than the %d of a cloud-config; let a script fetch what is large", len(content), maxCloudConfig)
	}
	file, err := parser.ParseBytes(content, 0)
	if err != nil {
		return fmt.Errorf("not YAML: %s", oneLine(err))
	}
	if len(file.Docs) != 1 {
		return fmt.Errorf("%d YAML documents; cloud-init reads one", len(file.Docs))
	}
	var seen unsupported
	ast.Walk(&seen, file.Docs[0])
	if seen.node != nil {
		return fmt.Errorf("line %d: anchors, aliases and tags are not supported; write the value out", seen.node.GetToken().Position.Line)
	}
	var config map[string]any
	if err := yaml.Unmarshal(content, &config); err != nil {
		return fmt.Errorf("not a mapping of cloud-config's keys: %s", oneLine(err))
	}
	return contradiction(config, spec)
}

// oneLine is a YAML error without the lines of the file, which may be long and hold passwords.
func oneLine(err error) string { return yaml.FormatError(err, false, false) }

// unsupported finds the first node of a kind that could grow without bound or run code.
type unsupported struct{ node ast.Node }

// Visit implements ast.Visitor.
func (u *unsupported) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		if u.node == nil {
			u.node = n
		}
		return nil
	}
	return u
}

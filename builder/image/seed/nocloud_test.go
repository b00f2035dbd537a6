package seed_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/mesos-forge/forge/builder/image/seed"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f operator@desk"

func slave1() seed.Spec {
	return seed.Spec{
		Node: "slave1", Role: "slave",
		Inventory: []byte("cluster: demo\nnodes: [slave1]\n"),
		Address:   "10.0.0.11/24", Gateway: "10.0.0.1",
		DNS:     []string{"10.0.0.2", "2001:db8::53"},
		SSHKeys: []string{key}, Shell: true,
		Epoch: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC),
	}
}

func TestFilesGolden(t *testing.T) {
	dhcp := seed.Spec{Node: "master", Role: "master", Epoch: time.Unix(0, 0)}
	v6 := seed.Spec{Node: "six", Role: "slave", Address: "2001:db8::11/64", Gateway: "2001:db8::1"}
	v6.Epoch = time.Unix(0, 0)
	for name, spec := range map[string]seed.Spec{"slave1": slave1(), "dhcp": dhcp, "six": v6} {
		files, err := seed.Files(spec)
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != 3 {
			t.Errorf("%s: %d files", name, len(files))
		}
		for _, f := range []string{seed.UserData, seed.MetaData, seed.NetworkConfig} {
			golden := filepath.Join("testdata", name+"."+f)
			if *update {
				if err := os.WriteFile(golden, files[f], 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(files[f], want) {
				t.Errorf("%s differs; got:\n%s", golden, files[f])
			}
		}
	}
}

// cloud-init reads what it gets: the inventory comes back byte by byte, and
// permissions are text, not an octal number.
func TestUserDataRoundTrip(t *testing.T) {
	spec := slave1()
	spec.Inventory = bytes.Repeat([]byte("key: välue # \"quoted\"\n"), 4000)
	odd := key + ` <a&b> # "x": \y é`
	spec.SSHKeys = append(spec.SSHKeys, odd)
	files, err := seed.Files(spec)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		WriteFiles []map[string]any `yaml:"write_files"`
		Keys       []string         `yaml:"ssh_authorized_keys"`
		Hosts      *bool            `yaml:"manage_etc_hosts"`
	}
	if err := yaml.Unmarshal(files[seed.UserData], &got); err != nil {
		t.Fatal(err)
	}
	if got.Hosts == nil || *got.Hosts {
		t.Error("manage_etc_hosts is not false")
	}
	if len(got.Keys) != 2 || got.Keys[0] != key || got.Keys[1] != odd {
		t.Errorf("keys %q", got.Keys)
	}
	found := false
	for _, f := range got.WriteFiles {
		if f["permissions"] != "0644" {
			t.Errorf("%v: permissions %#v", f["path"], f["permissions"])
		}
		if f["path"] != "/etc/forge/cluster.yaml" {
			continue
		}
		found = true
		z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(f["content"].(string))))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(z)
		if err != nil || !bytes.Equal(b, spec.Inventory) {
			t.Errorf("inventory came back as %d bytes, %v", len(b), err)
		}
	}
	if !found {
		t.Error("no /etc/forge/cluster.yaml")
	}
}

// Each place says who the node is when it is asked to, and only then; name and
// inventory are in every seed.
func TestIdentityPlaces(t *testing.T) {
	const inUser, inMeta = "path: /etc/forge/node.yaml", "forge:\n  role: \"slave\"\n  node: \"slave1\"\n"
	for _, c := range []struct {
		identity   seed.Identity
		user, meta bool
	}{{"", true, true}, {seed.Both, true, true}, {seed.InUserData, true, false}, {seed.InMetaData, false, true}, {seed.Nowhere, false, false}} {
		spec := slave1()
		spec.Identity = c.identity
		files, err := seed.Files(spec)
		if err != nil {
			t.Fatal(err)
		}
		user, meta := string(files[seed.UserData]), string(files[seed.MetaData])
		if strings.Contains(user, inUser) != c.user || strings.Contains(meta, inMeta) != c.meta {
			t.Errorf("%q: want user-data %v, meta-data %v; got:\n%s\n%s", c.identity, c.user, c.meta, user, meta)
		}
		for _, want := range []string{`hostname: "slave1"`, "/etc/forge/cluster.yaml"} {
			if !strings.Contains(user, want) {
				t.Errorf("%q: no %s in:\n%s", c.identity, want, user)
			}
		}
		if !strings.Contains(meta, `local-hostname: "slave1"`) || !c.meta && strings.Contains(meta, "forge") {
			t.Errorf("%q: meta-data:\n%s", c.identity, meta)
		}
	}
}

// Names that YAML 1.1 reads as another type must stay text.
func TestNamesStayText(t *testing.T) {
	for _, name := range []string{"no", "on", "y", "null", "true", "007", "12", "1e3", "0x1f", "0b1"} {
		files, err := seed.Files(seed.Spec{Node: name, Role: name, Epoch: time.Unix(0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		if want := `hostname: "` + name + `"`; !strings.Contains(string(files[seed.UserData]), want) {
			t.Errorf("no %s in:\n%s", want, files[seed.UserData])
		}
	}
}

func TestInstanceID(t *testing.T) {
	id := func(change func(*seed.Spec)) string {
		s := slave1()
		change(&s)
		files, err := seed.Files(s)
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`(?m)^instance-id: "?(\S+-[0-9a-f]{12})"?$`).FindSubmatch(files[seed.MetaData])
		if m == nil {
			t.Fatalf("no instance-id in:\n%s", files[seed.MetaData])
		}
		return string(m[1])
	}
	same := id(func(*seed.Spec) {})
	if again := id(func(s *seed.Spec) { s.Epoch = time.Unix(1, 0) }); again != same {
		t.Errorf("the epoch changes the instance: %s, %s", same, again)
	}
	seen := map[string]string{same: "unchanged"}
	for name, change := range map[string]func(*seed.Spec){
		"node":                     func(s *seed.Spec) { s.Node = "slave2" },
		"role":                     func(s *seed.Spec) { s.Role = "master" },
		"inventory":                func(s *seed.Spec) { s.Inventory = []byte("cluster: other\n") },
		"address":                  func(s *seed.Spec) { s.Address = "10.0.0.12/24" },
		"shell":                    func(s *seed.Spec) { s.Shell = false },
		"secret":                   func(s *seed.Spec) { s.Secrets = map[string]string{"a": "x"} },
		"part":                     func(s *seed.Spec) { s.Parts = []seed.Part{{Name: "a", Content: []byte("#!/bin/sh\n")}} },
		"identity":                 func(s *seed.Spec) { s.Identity = seed.InMetaData },
		"role, in meta-data alone": func(s *seed.Spec) { s.Identity, s.Role = seed.InMetaData, "master" },
	} {
		got := id(change)
		if other, ok := seen[got]; ok {
			t.Errorf("%s and %s share instance %s", name, other, got)
		}
		seen[got] = name
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*seed.Spec)
		field  string
		says   string
	}{
		{"no node", func(s *seed.Spec) { s.Node = "" }, "Node", "is not a name"},
		{"upper case", func(s *seed.Spec) { s.Node = "Slave1" }, "Node", "is not a name"},
		{"line break", func(s *seed.Spec) { s.Node = "slave1\nx" }, "Node", "is not a name"},
		{"trailing line break", func(s *seed.Spec) { s.Node = "slave1\n" }, "Node", "is not a name"},
		{"path", func(s *seed.Spec) { s.Node = "../x" }, "Node", "is not a name"},
		{"hyphen first", func(s *seed.Spec) { s.Node = "-x" }, "Node", "inner hyphens"},
		{"long", func(s *seed.Spec) { s.Node = strings.Repeat("a", 64) }, "Node", "1 to 63"},
		{"role", func(s *seed.Spec) { s.Role = "a b" }, "Role", "is not a name"},
		{"big inventory", func(s *seed.Spec) { s.Inventory = make([]byte, seed.MaxInventory+1) }, "Inventory", "1048577 bytes are more"},
		{"binary inventory", func(s *seed.Spec) { s.Inventory = []byte("a\x00") }, "Inventory", "NUL"},
		{"no prefix", func(s *seed.Spec) { s.Address = "10.0.0.11" }, "Address", "10.0.0.11/24"},
		{"whole internet", func(s *seed.Spec) { s.Address = "10.0.0.11/0" }, "Address", "prefix length 0"},
		{"network", func(s *seed.Spec) { s.Address = "10.0.0.0/24" }, "Address", "the network itself"},
		{"multicast", func(s *seed.Spec) { s.Address = "224.0.0.1/24" }, "Address", "unicast"},
		{"gateway with prefix", func(s *seed.Spec) { s.Gateway = "10.0.0.1/24" }, "Gateway", "not an IP address"},
		{"gateway elsewhere", func(s *seed.Spec) { s.Gateway = "10.0.1.1" }, "Gateway", "inside 10.0.0.0/24"},
		{"own gateway", func(s *seed.Spec) { s.Gateway = "10.0.0.11" }, "Gateway", "another address"},
		{"gateway alone", func(s *seed.Spec) { s.Address = "" }, "Gateway", "without an address"},
		{"dns name", func(s *seed.Spec) { s.DNS = []string{"dns.example"} }, "DNS", "not an IP address"},
		{"dns zone", func(s *seed.Spec) { s.DNS = []string{"fe80::1%eth0"} }, "DNS", "unicast"},
		{"many dns", func(s *seed.Spec) { s.DNS = make([]string, 9) }, "DNS", "more than 8"},
		{"two keys in one", func(s *seed.Spec) { s.SSHKeys = []string{key + "\n" + key} }, "SSHKeys", "key 1 is not one line"},
		{"control in key", func(s *seed.Spec) { s.SSHKeys = []string{key + "\x1b[0m"} }, "SSHKeys", "printable"},
		{"not a key", func(s *seed.Spec) { s.SSHKeys = []string{key, "hello"} }, "SSHKeys", "key 2 is not a public key"},
		{"key options", func(s *seed.Spec) { s.SSHKeys = []string{`command="x" ` + key} }, "SSHKeys", "options"},
		{"secret's name", func(s *seed.Spec) { s.Secrets = map[string]string{"A": "x"} }, "Secrets", `"A" is not the name of a secret`},
		{"secret of two lines", func(s *seed.Spec) { s.Secrets = map[string]string{"a": "x\ny"} }, "Secrets", "the secret a is not one line of text"},
		{"mount at the root", func(s *seed.Spec) { s.Mounts = []seed.Mount{{Path: "/", Source: "a:/b"}} }, "Mounts", "is not an absolute path below /"},
		{"mount with a space", func(s *seed.Spec) { s.Mounts = []seed.Mount{{Path: "/a b", Source: "a:/b"}} }, "Mounts", "is not a word of fstab"},
		{"many parts", func(s *seed.Spec) { s.Parts = make([]seed.Part, 17) }, "Parts", "17 files of user-data are more than 16"},
		{"identity", func(s *seed.Spec) { s.Identity = "userdata" }, "Identity", `one of ["both" "user-data" "meta-data" "none"]`},
		{"no epoch", func(s *seed.Spec) { s.Epoch = time.Time{} }, "Epoch", "outside 1970"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := slave1()
			c.change(&s)
			path := filepath.Join(t.TempDir(), "seed.iso")
			err := seed.WriteISO(path, s)
			var refused *seed.SpecError
			if !errors.As(err, &refused) || refused.Field != c.field || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v; want field %s, %q", err, c.field, c.says)
			}
			if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a refused seed was written: %v", err)
			}
		})
	}
}

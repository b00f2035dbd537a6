package seed_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/mesos-forge/forge/builder/image/seed"
)

// Every format writes the same bytes again, whoever builds it and when, with
// mode 0600, and nothing beside them.
func TestFormatsRepeat(t *testing.T) {
	zone := time.Local
	t.Cleanup(func() { time.Local = zone })
	for _, format := range seed.Formats() {
		var first []byte
		for range 2 {
			path := filepath.Join(t.TempDir(), "seed"+format.Suffix())
			if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := seed.Write(path, format, full()); err != nil {
				t.Fatal(err)
			}
			fi, err := os.Stat(path)
			if err != nil || fi.Mode() != 0o600 {
				t.Errorf("%s: %v, %v", format, fi.Mode(), err)
			}
			if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
				t.Errorf("%s: left behind: %v, %v", format, left, err)
			}
			data, err := os.ReadFile(path)
			if err != nil || first != nil && !bytes.Equal(first, data) {
				t.Errorf("%s: two files of one Spec differ (%v)", format, err)
			}
			first = data
			time.Local = time.FixedZone("far", -7*3600)
			if strings.HasSuffix(format.Suffix(), ".iso") {
				time.Sleep(1100 * time.Millisecond) // an image's times count seconds
			}
		}
		if now := time.Now().UTC().Format("200601"); bytes.Contains(first, []byte(now)) {
			t.Errorf("%s holds this month, %s", format, now)
		}
	}
}

func TestConfigDrive(t *testing.T) {
	files := readDrive(t, slave1())
	var meta struct {
		UUID, Hostname string
		Meta           map[string]string
	}
	if err := json.Unmarshal(files["openstack/latest/meta_data.json"], &meta); err != nil {
		t.Fatal(err)
	}
	if meta.Hostname != "slave1" || meta.Meta["forge.node"] != "slave1" || meta.Meta["forge.role"] != "slave" || meta.UUID[14] != '8' || meta.UUID[19] != '8' {
		t.Errorf("%+v", meta)
	}
	spec := slave1()
	spec.Identity = seed.InUserData
	files = readDrive(t, spec)
	if said := string(files["openstack/latest/meta_data.json"]); strings.Contains(said, "forge.") || strings.Contains(said, meta.UUID) {
		t.Errorf("meta-data that says nothing, or is the same instance:\n%s", said)
	}
	spec.Address, spec.Gateway, spec.DNS = "", "", nil
	if network := string(readDrive(t, spec)["openstack/latest/network_data.json"]); !strings.Contains(network, `"type": "ipv4_dhcp"`) {
		t.Errorf("network without an address:\n%s", network)
	}
}

// isoinfo, which is not the program that made it, reads the drive's folders.
func TestConfigDriveWithIsoinfo(t *testing.T) {
	if _, err := exec.LookPath("isoinfo"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("isoinfo is missing; install genisoimage")
		}
		t.Skip("isoinfo is missing; install genisoimage to run this test")
	}
	path := filepath.Join(t.TempDir(), "drive.iso")
	if err := seed.Write(path, seed.OpenStack, slave1()); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("isoinfo", "-i", path, "-R", "-f").Output()
	if want := "/openstack\n/openstack/latest\n/openstack/latest/meta_data.json\n/openstack/latest/network_data.json\n/openstack/latest/user_data\n"; err != nil || string(out) != want {
		t.Errorf("isoinfo -R -f: %q, %v", out, err)
	}
	if out, err := exec.Command("isoinfo", "-i", path, "-R", "-l").Output(); err != nil || strings.Count(string(out), "May  6 2024") != strings.Count(string(out), "-rw-------   1    0    0")+8 {
		t.Errorf("times and owners: %v\n%s", err, out)
	}
}

func TestEC2Limit(t *testing.T) {
	write := func(spec seed.Spec) ([]byte, error) {
		path := filepath.Join(t.TempDir(), "user-data")
		if err := seed.Write(path, seed.EC2, spec); err != nil {
			if _, stat := os.Lstat(path); !errors.Is(stat, os.ErrNotExist) {
				t.Errorf("a refused seed was written: %v", stat)
			}
			return nil, err
		}
		return os.ReadFile(path)
	}
	if user, err := write(slave1()); err != nil || !bytes.HasPrefix(user, []byte("#cloud-config\n")) {
		t.Errorf("a small one is not text: %.20q, %v", user, err)
	}
	large := slave1()
	large.Inventory = noise(14 << 10) // 4.7 bits in a byte: 8.2 KiB compressed, 11 KiB in base64
	if user, err := write(large); err != nil || !bytes.HasPrefix(user, []byte("#cloud-config\n")) {
		t.Errorf("%.20q, %v", user, err)
	}
	large.Inventory = noise(24 << 10)
	if user, err := write(large); err != nil || !bytes.HasPrefix(user, []byte{0x1f, 0x8b}) || len(user) > seed.MaxEC2 {
		t.Errorf("%.20q of %d bytes, %v", user, len(user), err)
	}
	large.Inventory = noise(40 << 10)
	_, err := write(large)
	const want = "; EC2 takes 16384. It holds an inventory of 40960 bytes ("
	var refused *seed.SpecError
	if err == nil || !errors.As(err, &refused) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "drop comments, keys or scripts") {
		t.Errorf("error %v; want %q", err, want)
	}
}

func TestPartRefusals(t *testing.T) {
	mounts := full().Mounts
	for _, c := range []struct{ content, want string }{
		{"hostname: slave1\n", `its first line is none of "#cloud-config", "#cloud-boothook", "#!PROGRAM"`},
		{"#cloud-config-archive\n- x\n", "its first line is none of"},
		{"## template: jinja\n#cloud-config\n", "its first line is none of"},
		{"#include https://x.invalid/\n", "its first line is none of"},
		{"#!/bin/sh\x00", "not a text in UTF-8"},
		{"#cloud-config\n\xff", "not a text in UTF-8"},
		{"#!/bin/sh\n" + strings.Repeat("#", 256<<10), "bytes are more than 262144"},
		{"#cloud-config\n#" + strings.Repeat("#", 64<<10), "bytes are more than the 65536 of a cloud-config"},
		{"#cloud-config\na: [\n# password: hunter2\n", "not YAML: [2:4] "},
		{"#cloud-config\n- x\n", "not a mapping of cloud-config's keys"},
		{"#cloud-config\na: [\n", "not YAML"},
		{"#cloud-config\na: 1\na: 2\n", "not"},
		{"#cloud-config\na: 1\n---\nb: 2\n", "2 YAML documents; cloud-init reads one"},
		{"#cloud-config\na: &x [1]\nb: *x\n", "line 2: anchors, aliases and tags are not supported"},
		{"#cloud-config\na: !!python/object x\n", "anchors, aliases and tags are not supported"},
		{"#cloud-config\nhostname: other\n", "hostname: other contradicts the node's name, slave1; leave the key out"},
		{"#cloud-config\nfqdn: other.example\n", "fqdn: other.example contradicts the node's name; use slave1.DOMAIN"},
		{"#cloud-config\nprefer_fqdn_over_hostname: true\n", "prefer_fqdn_over_hostname: true contradicts forge"},
		{"#cloud-config\nmanage_etc_hosts: true\n", `manage_etc_hosts: true contradicts forge: /etc/hosts is forge-node's`},
		{"#cloud-config\nmanage_etc_hosts: localhost\n", "manage_etc_hosts: localhost contradicts forge"},
		{"#cloud-config\nmerge_how: dict(replace)\n", "merge_how: can't be set beside forge"},
		{"#cloud-config\nruncmd: echo\n", "runcmd: want a list, to append it to forge's; got string"},
		{"#cloud-config\nwrite_files:\n- {path: /etc/forge/../forge/node.yaml}\n", "write_files: entry 1 writes /etc/forge/../forge/node.yaml, which is forge's own"},
		{"#cloud-config\nwrite_files:\n- {path: /etc/forge/secrets/x}\n", "name secrets with --secret"},
		{"#cloud-config\nwrite_files:\n- {path: etc/x}\n", "write_files: entry 1 has no absolute path"},
		{"#cloud-config\nmounts:\n- [/dev/vdc, /data/1/]\n", "mounts: entry 1 mounts /dev/vdc on /data/1, where the inventory mounts /dev/vdb"},
		{"#cloud-config\nmounts:\n- [x]\n", "mounts: entry 1 is not a list of a device and a mount point"},
		{"#cloud-config\nfs_setup:\n- {device: /dev/vdb, filesystem: ext4}\n", "fs_setup: /dev/vdb is a data disk of the inventory, which forge-node formats, and only when it is blank"},
		{"#cloud-config\ndisk_setup:\n  /dev/vdb: {table_type: gpt}\n", "disk_setup: /dev/vdb is a data disk"},
		{"#cloud-config\ncloud_init_modules: []\n", "cloud_init_modules: can't be set beside forge: the image says which modules run"},
	} {
		spec := slave1()
		spec.Mounts = mounts
		spec.Parts = []seed.Part{{Name: "site.yaml", Content: []byte(c.content)}}
		_, err := seed.Files(spec)
		if err == nil || !strings.Contains(err.Error(), `seed of node "slave1": user-data: site.yaml: `) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%.60q: error %v; want %q", c.content, err, c.want)
		}
	}
	for _, good := range []string{
		"#cloud-config\nhostname: slave1\nfqdn: slave1.example\nmanage_etc_hosts: no\npreserve_hostname: false\n",
		"#cloud-config  \nwrite_files: [{path: /etc/forgery, content: x}]\nmounts: [[/dev/vdc, /data/10]]\n",
		"#cloud-boothook\n#!/bin/sh\ntrue\n", "#!/usr/bin/env python3\n",
	} {
		spec := slave1()
		spec.Mounts = mounts
		spec.Parts = []seed.Part{{Name: "site.yaml", Content: []byte(good)}}
		if _, err := seed.Files(spec); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

// FuzzPart feeds user-data of an operator's: what is accepted sets nothing that is forge's.
func FuzzPart(f *testing.F) {
	for _, s := range []string{
		"#cloud-config\nhostname: slave1\nwrite_files: [{path: /etc/motd, content: x}]\nmounts: [[a, /b]]\n",
		"#cloud-config\nhostname: other\n", "#!/bin/sh\n", "#cloud-config\nfs_setup: [{device: /dev/vdb}]\ndisk_setup: {/dev/vdb: {}}\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		spec := slave1()
		spec.Parts = []seed.Part{{Name: "fuzz", Content: content}}
		if _, err := seed.Files(spec); err != nil {
			return
		}
		var config struct {
			Hostname   *string          `yaml:"hostname"`
			WriteFiles []map[string]any `yaml:"write_files"`
		}
		if bytes.HasPrefix(content, []byte("#cloud-config")) && yaml.Unmarshal(content, &config) == nil {
			if config.Hostname != nil && *config.Hostname != spec.Node {
				t.Errorf("host name %q", *config.Hostname)
			}
			for _, file := range config.WriteFiles {
				if p, _ := file["path"].(string); !filepath.IsAbs(p) || strings.HasPrefix(filepath.Clean(p), "/etc/forge/") {
					t.Errorf("writes %q", p)
				}
			}
		}
	})
}

// TestOnlyFilesAreReplaced: a link such as /dev/stdout, a pipe or a folder stays what it is.
func TestOnlyFilesAreReplaced(t *testing.T) {
	dir := t.TempDir()
	link, pipe, folder := filepath.Join(dir, "stdout"), filepath.Join(dir, "pipe"), filepath.Join(dir, "folder")
	if err := errors.Join(os.Symlink("/dev/null", link), syscall.Mkfifo(pipe, 0o600), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	before := modes(t, dir)
	for _, format := range seed.Formats() {
		for _, path := range []string{link, pipe, folder} {
			err := seed.Write(path, format, bare())
			if err == nil || !strings.Contains(err.Error(), "write "+path+": what is there is no plain file, and is not replaced") {
				t.Errorf("%s to %s: %v", format, path, err)
			}
		}
	}
	if after := modes(t, dir); !maps.Equal(before, after) {
		t.Errorf("there was %v, and now there is %v", before, after)
	}
}

// modes of what lies in a folder, by name.
func modes(t *testing.T, dir string) map[string]fs.FileMode {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]fs.FileMode{}
	for _, e := range entries {
		all[e.Name()] = e.Type()
	}
	return all
}

package builder

import (
	"bytes"
	"encoding/base64"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/mesos-forge/forge/builder/node"
)

// declared is a stack where the masters share a secret, and each has one of its own.
var declared = StackSecrets{
	"master": {{Name: "azkaban-db", Shared: true}, {Name: "azkaban-web"}},
	"slave":  {},
}

func seedOptions(t *testing.T) SeedOptions {
	t.Helper()
	return SeedOptions{Inventory: "../cluster.example.yaml", Format: "user-data", Declared: declared, SecretsDir: filepath.Join(t.TempDir(), "secrets")}
}

// userData writes all seeds and returns their user-data, by node.
func userData(t *testing.T, opt SeedOptions) map[string]string {
	t.Helper()
	seeds, err := NewSeeds(opt)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := WriteSeeds(filepath.Join(t.TempDir(), "seeds"), seeds)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for i, path := range paths {
		fi, err := os.Stat(path)
		if err != nil || fi.Mode() != 0o600 {
			t.Errorf("%s: %v, %v; want the mode 0600", path, fi, err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[seeds[i].Node.Name] = string(data)
	}
	return all
}

// secretIn returns the secret that user-data carries, or "".
func secretIn(t *testing.T, user, name string) string {
	t.Helper()
	m := regexp.MustCompile(`path: /etc/forge/secrets/` + name + `\n +owner: root:root\n +permissions: "0600"\n +encoding: b64\n +content: (\S+)\n`).FindStringSubmatch(user)
	if m == nil {
		return ""
	}
	value, err := base64.StdEncoding.DecodeString(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(value), "\n")
}

// A shared secret is made once for the cluster, kept, and goes only where a component needs it.
func TestSharedSecret(t *testing.T) {
	opt := seedOptions(t)
	first := userData(t, opt)
	if diff := cmp.Diff([]string{"master1", "master2", "master3", "slave1", "slave2", "slave3"}, slices.Sorted(maps.Keys(first))); diff != "" {
		t.Fatalf("nodes (-want +got):\n%s", diff)
	}
	value := secretIn(t, first["master1"], "azkaban-db")
	if !regexp.MustCompile(`^[0-9A-Za-z]{32}$`).MatchString(value) {
		t.Fatalf("a secret of %d characters in:\n%s", len(value), first["master1"])
	}
	for name, user := range first {
		want := value
		if strings.HasPrefix(name, "slave") {
			want = ""
		}
		if got := secretIn(t, user, "azkaban-db"); got != want {
			t.Errorf("%s: another secret, or one that it does not need", name)
		}
		if strings.Contains(user, "azkaban-web") {
			t.Errorf("%s: a secret that the node makes for itself", name)
		}
	}
	if diff := cmp.Diff(first, userData(t, opt)); diff != "" {
		t.Errorf("again (-first +second):\n%s", diff)
	}
	file := filepath.Join(opt.SecretsDir, "lab", "azkaban-db")
	kept, err := os.ReadFile(file)
	fi, _ := os.Stat(file)
	if err != nil || string(kept) != value+"\n" || fi.Mode() != 0o600 {
		t.Errorf("kept: %v, %v", fi, err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := NewSeeds(opt); err == nil || !strings.Contains(err.Error(), "secret azkaban-db: others may read "+file+" (mode 0644); if nobody did: chmod 0600 "+file) {
		t.Errorf("error %v", err)
	}
}

func TestGivenSecret(t *testing.T) {
	opt := seedOptions(t)
	opt.Secrets, opt.Stdin = []string{"azkaban-db=-", "azkaban-web=" + secretFile(t, "web\r\n", 0o600)}, strings.NewReader("ours\n")
	seeds := userData(t, opt)
	if secretIn(t, seeds["master2"], "azkaban-db") != "ours" || secretIn(t, seeds["master2"], "azkaban-web") != "web" || secretIn(t, seeds["slave1"], "azkaban-web") != "" {
		t.Errorf("%s\n%s", seeds["master2"], seeds["slave1"])
	}
	opt.Secrets = nil
	if again := userData(t, opt); secretIn(t, again["master1"], "azkaban-db") != "ours" {
		t.Error("a given shared secret is not kept")
	}
	opt.Secrets = []string{"azkaban-db=" + secretFile(t, "other", 0o600)}
	_, err := NewSeeds(opt)
	if err == nil || !strings.Contains(err.Error(), "secret azkaban-db: the one given is not the one that earlier seeds of this cluster carry") || strings.Contains(err.Error(), "ours") {
		t.Errorf("error %v", err)
	}
	opt.Declared, opt.Secrets = nil, []string{"anything=" + secretFile(t, "x", 0o400)}
	if unknown := userData(t, opt); secretIn(t, unknown["slave3"], "anything") != "x" {
		t.Error("without a stack, every node gets what is given")
	}
}

func secretFile(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSecretArguments(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"hunter2"}, "--secret wants NAME=FILE, or NAME=- for standard input; never the secret itself"},
		{[]string{"azkaban-db="}, "--secret wants NAME=FILE"},
		{[]string{"../x=-"}, `--secret: "../x" is not the name of a secret`},
		{[]string{"azkaban-bd=-"}, `--secret azkaban-bd: no component of the stack declares this secret; did you mean "azkaban-db"?; declared: azkaban-db, azkaban-web`},
		{[]string{"azkaban-db=-", "azkaban-db=-"}, "--secret azkaban-db is given twice"},
		{[]string{"azkaban-db=/none"}, "secret azkaban-db: open /none: no such file or directory"},
		{[]string{"azkaban-db=" + secretFile(t, "s3cret", 0o640)}, "secret azkaban-db: others may read"},
		{[]string{"azkaban-db=" + secretFile(t, "s3cret\ns3cret", 0o600)}, "the secret azkaban-db is not one line of text"},
		{[]string{"azkaban-db=" + secretFile(t, "", 0o600)}, "the secret azkaban-db is empty"},
		{[]string{"azkaban-db=" + secretFile(t, strings.Repeat("s3cret", 1<<18), 0o600)}, "the secret azkaban-db has 4097 bytes, more than 1024"},
	} {
		opt := seedOptions(t)
		opt.Secrets, opt.Stdin = c.args, strings.NewReader("x")
		_, err := NewSeeds(opt)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%.40q: error %v; want %q", c.args, err, c.want)
		}
	}
}

// One seed that can't be made keeps all from being replaced.
func TestSeedsAllOrNone(t *testing.T) {
	dir := t.TempDir()
	opt := seedOptions(t)
	seeds, err := NewSeeds(opt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := WriteSeeds(dir, seeds); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(filepath.Join(dir, "master1.user-data"))
	opt.Shell = true
	if seeds, err = NewSeeds(opt); err != nil {
		t.Fatal(err)
	}
	seeds[5].spec.Node = "-"
	if _, err := WriteSeeds(dir, seeds); err == nil || !strings.Contains(err.Error(), `seed of node "-": node:`) {
		t.Errorf("error %v", err)
	}
	after, _ := os.ReadFile(filepath.Join(dir, "master1.user-data"))
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 6 || !bytes.Equal(before, after) {
		t.Errorf("%d files, %v", len(entries), err)
	}
}

func TestSeedWarnings(t *testing.T) {
	opt := seedOptions(t)
	opt.Node = "master1"
	opt.UserData = []string{filepath.Join(t.TempDir(), "site.yaml")}
	if err := os.WriteFile(opt.UserData[0], []byte("#cloud-config\npackages: [vim]\nruncmd: [[sync]]\nntp: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := NewSeed(opt)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"every process on a machine of most clouds, EC2 among them, may ask for the machine's user-data, and so for its secrets: azkaban-db",
		opt.UserData[0] + ": an image of forge's runs none of cloud-init's modules that read ntp, packages",
	}
	if diff := cmp.Diff(want, s.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	opt.Format, opt.UserData = "", nil
	if s, err = NewSeed(opt); err != nil || len(s.Warnings) != 0 || s.FileName() != "master1.iso" {
		t.Errorf("%q, %v", s.Warnings, err)
	}
}

// What the inventory mounts from the network is in the seed of the nodes that mount it; data disks are
// forge-node's.
func TestSeedMounts(t *testing.T) {
	data, err := os.ReadFile("../cluster.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(data), "address: 10.162.2.91", "address: 10.162.2.91, disks: [{mount: /data/1, device: /dev/vdb}]", 1) +
		"\nnfs:\n  - {source: \"10.162.2.90:/export\", mount: /nfsmount}\n"
	opt := seedOptions(t)
	opt.Inventory = filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(opt.Inventory, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	seeds := userData(t, opt)
	if got := strings.Count(seeds["master1"], `"/nfsmount"`); got != 1 || strings.Contains(seeds["master1"], "/dev/vdb") || strings.Contains(seeds["slave1"], "mounts:") {
		t.Errorf("%s\n%s", seeds["master1"], seeds["slave1"])
	}
}

func TestLoadStackSecrets(t *testing.T) {
	if d, err := LoadStackSecrets(t.TempDir(), "demo"); d != nil || err != nil {
		t.Errorf("no recipes: %v, %v", d, err)
	}
	good, err := txtar.ParseFile("recipe/testdata/good.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range good.Files {
		if f.Name == "recipes/demo/components/store.yaml" {
			f.Data = append(f.Data, "secrets: [{name: store-db, shared: true}]\n"...)
		}
		to := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d, err := LoadStackSecrets(dir, "demo")
	if err != nil {
		t.Fatal(err)
	}
	for role, secrets := range d {
		if diff := cmp.Diff([]node.Secret{{Name: "store-db", Shared: true}}, secrets); diff != "" {
			t.Errorf("role %s (-want +got):\n%s", role, diff)
		}
	}
	if len(d) == 0 {
		t.Error("no roles")
	}
	if _, err := LoadStackSecrets(dir, "dmeo"); err == nil || !strings.Contains(err.Error(), `did you mean "demo"?`) {
		t.Errorf("error %v", err)
	}
}

// A role that the stack lacks would only be refused by the machine that boots with the seed.
func TestSeedOfAnUnknownRole(t *testing.T) {
	data, err := os.ReadFile("../cluster.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	opt := seedOptions(t)
	opt.Inventory = filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(opt.Inventory, []byte(strings.Replace(string(data), "role: slave\n", "role: salve\n", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	const want = `node slave1: the stack has no role "salve"; did you mean "slave"?; its roles: master, slave; mend the inventory, or name another stack with --stack`
	if _, err := NewSeeds(opt); err == nil || err.Error() != want {
		t.Errorf("error %v; want %s", err, want)
	}
	opt.Inventory = filepath.Join(t.TempDir(), "none.yaml")
	if _, err := NewSeeds(opt); err == nil || err.Error() != "no inventory: "+opt.Inventory+" does not exist; forge init --to "+opt.Inventory+" writes one, or name another one with --inventory" {
		t.Errorf("error %v", err)
	}
}

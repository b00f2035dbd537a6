package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/image/oci/registrytest"
)

// registryStory is a registry as a company has it, with TLS of its own authority and accounts, and all that
// forge has said about it.
type registryStory struct {
	*forge
	host, ca, secret string
	said             strings.Builder
}

func (s *registryStory) try(args ...string) (string, string, int) {
	s.t.Helper()
	out, errs, code := s.run(args...)
	s.said.WriteString(out + errs)
	return out, errs, code
}

func (s *registryStory) must(args ...string) string {
	s.t.Helper()
	out, errs, code := s.try(args...)
	if code != 0 {
		s.t.Fatalf("forge %s: exit status %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// TestRegistry sends the real image and disk of a role to Debian's registry, and fetches them back.
func TestRegistry(t *testing.T) {
	f, res := builtRole(t)
	ca := registrytest.NewAuthority(t)
	s := &registryStory{forge: f, ca: ca.File, secret: "planted-pa55word"}
	s.host = registrytest.Registry{Account: "builder", Password: s.secret, Authority: ca}.Start(t)
	s.refusals()
	s.env = []string{"DOCKER_CONFIG=" + registrytest.DockerConfig(t, s.host, "builder", s.secret)}
	s.images(res)
	s.disks()
	s.skopeo(res)
	s.fullDisk()
	if strings.Contains(s.said.String(), s.secret) {
		t.Errorf("the password is in what forge says:\n%s", s.said.String())
	}
}

// refusals are of a machine that knows neither the authority nor an account.
func (s *registryStory) refusals() {
	s.t.Helper()
	s.env = []string{"DOCKER_CONFIG=" + s.t.TempDir()}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "--ca, or in SSL_CERT_FILE"},
		{[]string{"--ca", s.ca}, `"docker login ` + s.host + `" gives credentials`},
		{[]string{"--ca", s.ca, "--disk"}, `"docker login ` + s.host + `" gives credentials`},
	} {
		args := append([]string{"push", s.host + "/cluster/slave:1", "--allow-standins", "--quiet"}, c.args...)
		if out, errs, code := s.try(args...); code != 1 || out != "" || !strings.Contains(errs, c.want) {
			s.t.Errorf("forge %s: exit status %d, output %q, error %q; want 1 and %q", strings.Join(args, " "), code, out, errs, c.want)
		}
	}
	if _, errs, code := s.try("push", s.host+"/cluster/slave:1", "--ca", s.ca, "--quiet"); code != 1 || !strings.Contains(errs, "stand-ins in it (mesos)") {
		s.t.Errorf("with a stand-in: exit status %d, error %q", code, errs)
	}
}

// images are sent under two names and fetched back, then nothing is sent and fetched again.
func (s *registryStory) images(res builder.Result) {
	s.t.Helper()
	image := res.Roles[0]
	want := s.host + "/cluster/slave@" + image.Digest + "\n"
	if out := s.must("push", s.host+"/cluster/slave:1", s.host+"/cluster/slave:stable", "--role", "slave", "--allow-standins", "--ca", s.ca, "--progress", "json"); out != want {
		s.t.Errorf("forge push = %q, want %q", out, want)
	}
	s.env = append(s.env, "SSL_CERT_FILE="+s.ca) // from here on
	to := filepath.Join(s.dir, "pulled")
	var got oci.Pulled
	if err := json.Unmarshal([]byte(s.must("pull", s.host+"/cluster/slave:stable", "--to", to, "--output", "json")), &got); err != nil {
		s.t.Fatal(err)
	}
	if got.Kind != "image" || got.Ref+"\n" != want || got.Existed || !slices.Equal(got.StandIns, []string{"mesos"}) {
		s.t.Errorf("forge pull = %+v", got)
	}
	if out, err := exec.Command("diff", "-r", filepath.Join(s.out, image.Image), got.Path).CombinedOutput(); err != nil {
		s.t.Errorf("the image that came back: %v\n%s", err, out)
	}
	if out := s.must("pull", s.host+"/cluster/slave:1", "--to", to); !strings.Contains(out, "(was there already)") {
		s.t.Errorf("forge pull, again = %q", out)
	}
}

func (s *registryStory) disks() {
	s.t.Helper()
	out := s.must("push", s.host+"/disks/slave:1", "--disk", "--allow-standins")
	to := filepath.Join(s.dir, "pulled")
	s.must("pull", strings.TrimSpace(out), "--to", to, "--quiet")
	if out, err := exec.Command("cmp", filepath.Join(s.out, "slave", "disk.qcow2"), filepath.Join(to, oci.DiskName)).CombinedOutput(); err != nil {
		s.t.Errorf("the disk that came back: %v\n%s", err, out)
	}
}

// skopeo is another implementation that looks at what is there.
func (s *registryStory) skopeo(res builder.Result) {
	s.t.Helper()
	run := func(args ...string) string {
		cmd := exec.Command("skopeo", args...)
		cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+s.ca)
		out, err := cmd.CombinedOutput()
		if err != nil {
			s.t.Fatalf("skopeo %s: %v\n%s", args[0], err, out)
		}
		return string(out)
	}
	image := "docker://" + s.host + "/cluster/slave:1"
	if got := run("inspect", "--creds", "builder:"+s.secret, "--format", "{{.Digest}}", image); got != res.Roles[0].Digest+"\n" {
		s.t.Errorf("skopeo inspect says %q, want %s", got, res.Roles[0].Digest)
	}
	back := filepath.Join(s.dir, "copied")
	run("--insecure-policy", "copy", "--quiet", "--src-creds", "builder:"+s.secret, image, "oci:"+back+":latest")
	if info, err := oci.InspectLayout(back); err != nil || info.Digest != res.Roles[0].Digest {
		s.t.Errorf("skopeo copy brought %s, %v; want %s", info.Digest, err, res.Roles[0].Digest)
	}
}

// fullDisk pulls to where there is no room.
func (s *registryStory) fullDisk() {
	s.t.Helper()
	to := filepath.Join(s.dir, "small")
	s.limited(to, "20m")
	if _, errs, code := s.try("pull", s.host+"/disks/slave:1", "--to", to, "--quiet"); code != 1 || !strings.Contains(errs, "no space left on device; the disk is full: free some space, or name another folder with --to") {
		s.t.Errorf("forge pull onto a full disk: exit status %d, error %q", code, errs)
	}
	out, err := exec.Command(s.wrap[0], append(slices.Clone(s.wrap[1:]), "ls", "-A", to)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		s.t.Errorf("left there: %s%v", out, err)
	}
}

package deb

import (
	"path"
	"strings"

	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/recipe"
)

const jobsDir = "/etc/init/"

// forUpstart keeps services from starting at boot or at their installation (init(5)): an override with
// the word manual for each, a conffile as upstart's jobs are. A service that has a script of System V
// instead of a job has its links disabled by the postinst, after the package that brings the script.
func (s *Spec) forUpstart(services []node.Service) {
	for _, svc := range services {
		s.Entries = append(s.Entries, Entry{Path: path.Join(jobsDir, svc.Name+".override"), Kind: recipe.EntryFile,
			Text: []byte("manual\n"), Conffile: true})
		s.Scripts = append(s.Scripts, svc.Name)
	}
	for i := range s.Entries {
		if e := &s.Entries[i]; e.Kind == recipe.EntryFile && strings.HasPrefix(e.Path, jobsDir) {
			e.Conffile = true
		}
	}
}

// jobs names the upstart jobs of the package.
func (p *plan) jobs() []string {
	var out []string
	for _, e := range p.entries {
		if dir, name := path.Split(e.Path); dir == jobsDir && e.Kind == recipe.EntryFile && strings.HasSuffix(name, ".conf") {
			out = append(out, strings.TrimSuffix(name, ".conf"))
		}
	}
	return out
}

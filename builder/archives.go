package builder

import (
	"fmt"
	"strings"

	"github.com/mesos-forge/forge/builder/recipe"
)

// debianID is the distribution whose archives the host's own apt entries name.
const debianID = "debian"

// archivesNamed says in one line which archives the images of a stack need and no setting names, before
// anything is fetched. Packages alone need none.
func archivesNamed(s *recipe.Stack, opt Options) error {
	if s.Distribution.ID == debianID || opt.Only == OnlyPackages {
		return nil
	}
	var missing []string
	need := func(name, what string) {
		if opt.Archives[name].Main == "" {
			missing = append(missing, fmt.Sprintf("a mirror of %s (apt.archives.%s.mirror)", what, name))
		}
	}
	need(s.Distribution.ID, strings.ToUpper(s.Distribution.ID[:1])+s.Distribution.ID[1:]+" "+s.Distribution.Version)
	for _, more := range s.Apt.More {
		need(more.Name, more.Summary)
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("images of the stack %s need %s: set it in forge.yaml, or make packages alone with --only packages", s.Name, strings.Join(missing, " and "))
}

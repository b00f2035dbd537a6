package builder

import (
	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/recipe"
)

// disabled removes what starts a role's services without forge-node: packages that are not
// forge's enable them, by scripts or by links that they ship. In a tree without systemd, find is
// what there is.
func (b *Builder) disabled(r *recipe.Role) [][]string {
	var units []string
	for _, name := range r.Components {
		for _, s := range b.stack.Components[name].Services {
			units = append(units, "-o", "-name", s.Name+".service")
		}
	}
	if len(units) == 0 {
		return nil
	}
	if b.stack.InitSystem == node.InitUpstart {
		return b.manual(r)
	}
	find := []string{"find", "/etc", "/usr/lib", "-type", "l", "-regex", `.*/systemd/system/.*\.\(wants\|requires\)/[^/]*`, "("}
	return [][]string{append(append(find, units[1:]...), ")", "-print", "-delete")}
}

// manual disables what starts a role's services without forge-node where upstart is init: the links of scripts,
// whose packages enable them. A job without the word manual in its override is an error.
func (b *Builder) manual(r *recipe.Role) [][]string {
	const script = `for s; do
	if [ -e "/etc/init.d/$s" ] && [ ! -e "/etc/init/$s.conf" ]; then update-rc.d "$s" disable; fi
	if [ -e "/etc/init/$s.conf" ] && ! grep -qx manual "/etc/init/$s.override"; then
		echo "the job $s would start at boot: /etc/init/$s.override does not say manual" >&2
		exit 1
	fi
done`
	run := []string{"sh", "-ec", script, "sh"}
	for _, name := range r.Components {
		for _, s := range b.stack.Components[name].Services {
			run = append(run, s.Name)
		}
	}
	return [][]string{run}
}

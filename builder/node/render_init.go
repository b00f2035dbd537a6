package node

import (
	"path"
	"slices"
	"strings"
)

// presetFile is read before Debian's own presets, which enable everything.
const presetFile = "/etc/systemd/system-preset/10-forge.preset"

// initFiles keep a machine's init system from starting a service before
// forge-node has configured it, or one of another role at all: forge-node alone
// starts them. With systemd that is a preset, or `systemctl preset-all` would
// enable every unit; with upstart, the word manual in the override of every job
// (init(5)). An override for a service that has an init script instead of a job
// says nothing; such a script's links are disabled when the image is built.
func (r *renderer) initFiles(out *Rendering) []RenderedFile {
	names := slices.Concat(out.Others, r.data.Services)
	slices.Sort(names)
	file := RenderedFile{Mode: 0o644, Owner: "root", Group: "root"}
	switch {
	case r.data.Container || len(names) == 0:
		return nil
	case r.role.InitSystem == InitUpstart:
		var files []RenderedFile
		for _, n := range names {
			file.Path, file.Content = path.Join("/etc/init", n+".override"), []byte("manual\n")
			files = append(files, file)
		}
		return files
	}
	file.Path = presetFile
	file.Content = []byte("# " + header + "\nenable forge-node.service\ndisable " + strings.Join(names, ".service\ndisable ") + ".service\n")
	return []RenderedFile{file}
}

package compare

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/mesos-forge/forge/builder/archive"
)

// DebSettings lists what a package says of itself, as [Values] compares it: "field Depends", "conffile /etc/x",
// "script postinst", and other files of its control part but those that dpkg-deb makes from the rest.
func DebSettings(d *archive.Deb) map[string]string {
	out := map[string]string{}
	for _, f := range d.Control {
		out["field "+f.Name] = f.Value
	}
	for _, name := range d.Conffiles {
		out["conffile "+name] = "listed"
	}
	scripts := map[string]bool{}
	for _, name := range d.Scripts() {
		scripts[name] = true
	}
	for name, content := range d.Files {
		switch kind := "control file "; {
		case name == "control", name == "md5sums", name == "conffiles":
		default:
			if scripts[name] {
				kind = "script "
			}
			out[kind+name] = fmt.Sprintf("%d bytes, sha256 %s", len(content), shortDigest(fmt.Sprintf("%x", sha256.Sum256(content))))
		}
	}
	return out
}

// DebLayer is what a package unpacks to, as a layer.
func DebLayer(d *archive.Deb) Layer {
	return Layer{Name: d.DataName(), Open: func(ctx context.Context) (io.ReadCloser, error) { return d.Data(ctx) }}
}

package evidence

import (
	"context"
	"os"
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
)

// readDeb adds what a package's control file says.
func (i *Inspection) readDeb(ctx context.Context, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	d, err := archive.OpenDeb(ctx, file, i.Size, archive.DebOptions{Name: name})
	if err != nil {
		return err
	}
	for _, field := range []string{"Package", "Architecture", "Depends", "Homepage", "Description"} {
		value, _, _ := strings.Cut(d.Control.Get(field), "\n")
		if value != "" {
			i.Fields = append(i.Fields, Field{field, value})
		}
	}
	i.Version = d.Control.Get("Version")
	if strings.Contains(i.Version, "~standin") {
		i.StandIns = []string{d.Control.Get("Package")}
	}
	return nil
}

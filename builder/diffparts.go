package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/compare"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/publish"
	"github.com/mesos-forge/forge/builder/report"
	"github.com/mesos-forge/forge/builder/rootfs"
	"github.com/mesos-forge/forge/builder/store"
)

// maxBill bounds a packages.json; that of a role has 300 kB.
const maxBill = 64 << 20

// compareRoles compares images, with what lies beside them in the folders of roles: lock, list of packages, disks.
func compareRoles(ctx context.Context, r *compare.Reading, part *compare.Part, a, b comparedPart) error {
	x, err := comparedImage(a)
	if err != nil {
		return err
	}
	y, err := comparedImage(b)
	if err != nil {
		return err
	}
	if err := r.Images(ctx, part, x, y); err != nil {
		return err
	}
	if a.dir == "" || b.dir == "" {
		return nil
	}
	return compareLocks(part, filepath.Join(a.dir, lockFile), filepath.Join(b.dir, lockFile))
}

// comparedImage is what a role or an image is compared by. A role without an image has no layers.
func comparedImage(p comparedPart) (compare.Image, error) {
	image := compare.Image{Settings: map[string]string{}}
	if p.image != nil {
		image.Settings, image.Layers = imageSettings(p.image), imageLayers(p.image)
	}
	if p.dir == "" {
		return image, nil
	}
	if p.disks == nil {
		var err error
		if p.disks, err = disksIn(p.dir); err != nil {
			return image, err
		}
	}
	for name, text := range p.disks {
		image.Settings["file "+name] = text
	}
	var err error
	image.Packages, err = billPackages(filepath.Join(p.dir, "packages.json"))
	return image, err
}

// disksIn describes the disks in a role's folder, by their names.
func disksIn(dir string) (map[string]string, error) {
	names, err := filepath.Glob(filepath.Join(escapeGlob(dir), "disk.*"))
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, name := range names {
		fi, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		d, err := fileDigest(name)
		if err != nil {
			return nil, err
		}
		out[filepath.Base(name)] = diskText(fi.Size(), d)
	}
	return out, nil
}

func diskText(size int64, d store.Digest) string { return report.Size(size) + ", " + string(d) }

// imageLayers are the layers of an image, as they are compared.
func imageLayers(c *oci.Contents) []compare.Layer {
	var out []compare.Layer
	for i, l := range c.Info.Layers {
		out = append(out, compare.Layer{Name: fmt.Sprintf("layer %d of %s", i+1, c.Info.Digest), Digest: l.Digest, DiffID: l.DiffID, Size: l.Size,
			Made: strings.TrimPrefix(l.History, "forge "), Open: func(context.Context) (io.ReadCloser, error) { return c.Layer(i) }})
	}
	return out
}

// imageSettings is what an image says about itself and how it starts, flat.
func imageSettings(c *oci.Contents) map[string]string {
	out := map[string]string{"platform": c.Info.OS + "/" + c.Info.Arch, "created": c.Info.Created.UTC().Format(time.RFC3339)}
	for name, v := range c.Info.Labels {
		out["label "+name] = v
	}
	for name, v := range c.Info.Annotations {
		out["annotation "+name] = v
	}
	for _, env := range c.Config.Env {
		name, v, _ := strings.Cut(env, "=")
		out["env "+name] = v
	}
	for port := range c.Config.ExposedPorts {
		out["port "+port] = "exposed"
	}
	for volume := range c.Config.Volumes {
		out["volume "+volume] = "declared"
	}
	for name, v := range map[string]string{"entrypoint": commandLine(c.Config.Entrypoint), "command": commandLine(c.Config.Cmd), "user": c.Config.User,
		"working directory": c.Config.WorkingDir, "stop signal": c.Config.StopSignal} {
		if v != "" {
			out[name] = v
		}
	}
	return out
}

// commandLine writes the words of a command so that none is taken for two.
func commandLine(all []string) string {
	if all == nil {
		return ""
	}
	b, err := json.Marshal(all)
	if err != nil { // strings can always be written
		return strings.Join(all, " ")
	}
	return string(b)
}

// billPackages reads a packages.json; one that is not there has none.
func billPackages(name string) ([]compare.Package, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxBill+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxBill {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, maxBill)
	}
	var bill publish.Bill
	if err := json.Unmarshal(b, &bill); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return comparedPackages(bill), nil
}

func comparedPackages(bill publish.Bill) []compare.Package {
	out := make([]compare.Package, 0, len(bill.Packages))
	for _, p := range bill.Packages {
		out = append(out, compare.Package{Name: p.Name, Version: p.Version, Architecture: p.Architecture, Installed: p.InstalledSize, SHA256: p.SHA256})
	}
	return out
}

func compareLocks(part *compare.Part, a, b string) error {
	x, err := lock.Read(a)
	if err != nil {
		return err
	}
	y, err := lock.Read(b)
	if err != nil {
		return err
	}
	part.Lock = lock.Diff(x, y)
	return nil
}

// compareDebs compares what two packages say of themselves, and what they hold.
func compareDebs(ctx context.Context, r *compare.Reading, part *compare.Part, a, b string, files bool) error {
	digestA, err := fileDigest(a)
	if err != nil {
		return err
	}
	digestB, err := fileDigest(b)
	if err != nil || digestA == digestB {
		return err
	}
	x, closeA, err := openDebFile(ctx, a)
	if err != nil {
		return err
	}
	defer closeA()
	y, closeB, err := openDebFile(ctx, b)
	if err != nil {
		return err
	}
	defer closeB()
	part.Settings = compare.Values(compare.DebSettings(x), compare.DebSettings(y))
	part.Settings = append(part.Settings, compare.Value{Name: "sha256", Change: compare.Changed, A: digestA.Hex(), B: digestB.Hex()})
	if files {
		return r.Debs(ctx, part, compare.DebLayer(x), compare.DebLayer(y))
	}
	return nil
}

func openDebFile(ctx context.Context, name string) (*archive.Deb, func() error, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err == nil {
		var d *archive.Deb
		if d, err = archive.OpenDeb(ctx, f, fi.Size(), archive.DebOptions{Name: filepath.Base(name), XZ: rootfs.XZ}); err == nil {
			return d, f.Close, nil
		}
	}
	return nil, nil, errors.Join(err, f.Close())
}

package compare

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/archive"
)

// Difference is the first place where two images are not the same.
type Difference struct {
	Layer int    `json:"layer"`          // from 1, the lowest
	Name  string `json:"name"`           // the layer's name
	Made  string `json:"made,omitempty"` // what made the layer, as the image's history says
	Path  string `json:"path,omitempty"` // "/usr/bin/su"; "": the layer as a whole
	// What differs: "layers" (their number), "file" (only one has it), "order", "type", "mode", "owner", "owner name",
	// "time", "size", "target", "device", "xattrs", "content", "header" (how the tar says the same), "tar" (bytes that belong
	// to no entry), "compression".
	What string `json:"what"`
	A    string `json:"a,omitempty"` // what the one has; "" where it has nothing
	B    string `json:"b,omitempty"`
	// Offset of the first byte that differs: in the file for "content", in the uncompressed layer for "tar"; else -1.
	Offset int64 `json:"offset"`
}

// Text says it in a line; a and b are what the two images are called.
func (d *Difference) Text(a, b string) string {
	at := fmt.Sprintf("layer %d", d.Layer)
	if d.Made != "" {
		at += " (" + d.Made + ")"
	}
	if d.Path != "" {
		at += ": " + d.Path
	}
	what := d.What
	if d.Offset >= 0 {
		what += fmt.Sprintf(" from byte %d on", d.Offset)
	}
	return fmt.Sprintf("%s: %s: %s in %s, %s in %s", at, what, cmp.Or(d.A, "nothing"), a, cmp.Or(d.B, "nothing"), b)
}

// First compares two images layer by layer, each bit for bit, and returns the first difference; nil if
// there is none. Layers with equal digests are not read. Both are read side by side, in constant memory.
func First(ctx context.Context, a, b []Layer, limits Limits) (*Difference, error) {
	for i := range min(len(a), len(b)) {
		d, err := firstOfLayer(ctx, a[i], b[i], limits)
		if err != nil {
			return nil, err
		}
		if d != nil {
			d.Layer, d.Name, d.Made = i+1, b[i].Name, cmp.Or(b[i].Made, a[i].Made)
			return d, nil
		}
	}
	if len(a) == len(b) {
		return nil, nil
	}
	return &Difference{Layer: min(len(a), len(b)) + 1, What: "layers", A: fmt.Sprint(len(a)), B: fmt.Sprint(len(b)), Offset: -1}, nil
}

func firstOfLayer(ctx context.Context, a, b Layer, limits Limits) (*Difference, error) {
	if a.Digest != "" && a.Digest == b.Digest {
		return nil, nil
	}
	if a.DiffID == "" || a.DiffID != b.DiffID {
		d, err := firstEntry(ctx, a, b, limits)
		if d != nil || err != nil {
			return d, err
		}
		if d, err = firstByte(ctx, a, b, limits); d != nil || err != nil {
			return d, err
		}
	}
	if a.Digest != b.Digest {
		return &Difference{What: "compression", A: a.Digest, B: b.Digest, Offset: -1}, nil
	}
	return nil, nil
}

// firstEntry compares the entries of two layers in their order.
func firstEntry(ctx context.Context, a, b Layer, limits Limits) (d *Difference, err error) {
	sa, err := a.stream(ctx, limits)
	if err != nil {
		return nil, err
	}
	defer sa.Close()
	sb, err := b.stream(ctx, limits)
	if err != nil {
		return nil, err
	}
	defer sb.Close()
	nextA, stopA := iter.Pull2(archive.ReadTar(ctx, sa, sa.limit.tarOptions(a.Name)))
	defer stopA()
	nextB, stopB := iter.Pull2(archive.ReadTar(ctx, sb, sb.limit.tarOptions(b.Name)))
	defer stopB()
	for {
		x, errA, moreA := nextA()
		y, errB, moreB := nextB()
		switch {
		case errA != nil || errB != nil:
			return nil, errors.Join(errA, errB)
		case !moreA && !moreB:
			return nil, errors.Join(sa.finish(), sb.finish())
		case !moreA:
			return only(y, false), nil
		case !moreB:
			return only(x, true), nil
		case x.Name != y.Name:
			return misplaced(x, y, nextA, nextB)
		}
		if d, err := firstOfEntry(x, y); d != nil || err != nil {
			return d, err
		}
	}
}

func only(x archive.Item, inA bool) *Difference {
	d := &Difference{Path: absolute(x.Name), What: "file", Offset: -1}
	if inA {
		d.A = typeName(x.Type)
	} else {
		d.B = typeName(x.Type)
	}
	return d
}

// misplaced finds out why two layers have different names at the same place: one may lack a name, or have it
// later.
func misplaced(x, y archive.Item, nextA, nextB func() (archive.Item, error, bool)) (*Difference, error) {
	laterInB, err := comes(x.Name, nextB)
	if err != nil {
		return nil, err
	}
	laterInA, err := comes(y.Name, nextA)
	switch {
	case err != nil:
		return nil, err
	case !laterInB && (laterInA || x.Name < y.Name):
		return only(x, true), nil
	case !laterInA:
		return only(y, false), nil
	}
	return &Difference{Path: absolute(x.Name), What: "order", A: "at this place", B: "after " + absolute(y.Name), Offset: -1}, nil
}

func comes(name string, next func() (archive.Item, error, bool)) (bool, error) {
	for {
		x, err, more := next()
		if err != nil || !more || x.Name == name {
			return more && err == nil, err
		}
	}
}

// firstOfEntry compares two entries of one name.
func firstOfEntry(x, y archive.Item) (*Difference, error) {
	a, b := facts(x), facts(y)
	for i := range a {
		if a[i].is != b[i].is {
			return &Difference{Path: absolute(x.Name), What: a[i].what, A: a[i].is, B: b[i].is, Offset: -1}, nil
		}
	}
	if x.Type != tar.TypeReg {
		return nil, nil
	}
	at, err := firstUnequal(x.Content, y.Content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", absolute(x.Name), err)
	}
	if at >= 0 || x.Size != y.Size {
		return &Difference{Path: absolute(x.Name), What: "content", A: bytesText(x.Size), B: bytesText(y.Size), Offset: at}, nil
	}
	return nil, nil
}

func bytesText(n int64) string { return fmt.Sprintf("%d bytes", n) }

type fact struct{ what, is string }

// facts lists what an entry says of a file, besides its content, most telling first.
func facts(x archive.Item) []fact {
	h := x.Header
	return []fact{
		{"type", typeName(x.Type)},
		{"target", x.Target},
		{"device", deviceText(h)},
		{"mode", fmt.Sprintf("%04o", x.Mode)},
		{"owner", fmt.Sprintf("%d:%d", x.UID, x.GID)},
		{"xattrs", xattrText(x.Xattrs())},
		{"time", x.ModTime.UTC().Format(time.RFC3339Nano)},
		{"owner name", strings.Trim(h.Uname+":"+h.Gname, ":")},
		{"header", headerText(h)},
	}
}

// headerText is the rest of what a header says.
func headerText(h *tar.Header) string {
	out := []string{h.Format.String()}
	if h.Name != "" {
		out = append(out, fmt.Sprintf("name %q", h.Name))
	}
	for _, k := range slices.Sorted(maps.Keys(h.PAXRecords)) {
		out = append(out, k+"="+fmt.Sprintf("%q", h.PAXRecords[k]))
	}
	return strings.Join(out, " ")
}

func xattrText(all map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, fmt.Sprintf("%s=%x", name, all[name]))
	}
	return strings.Join(out, " ")
}

func deviceText(h *tar.Header) string {
	if h.Typeflag != tar.TypeChar && h.Typeflag != tar.TypeBlock {
		return ""
	}
	return fmt.Sprintf("%d,%d", h.Devmajor, h.Devminor)
}

// firstByte compares two uncompressed layers as bytes.
func firstByte(ctx context.Context, a, b Layer, limits Limits) (*Difference, error) {
	sa, err := a.stream(ctx, limits)
	if err != nil {
		return nil, err
	}
	defer sa.Close()
	sb, err := b.stream(ctx, limits)
	if err != nil {
		return nil, err
	}
	defer sb.Close()
	at, err := firstUnequal(sa, sb)
	if err != nil || at < 0 {
		return nil, err
	}
	return &Difference{What: "tar", A: "one form", B: "another", Offset: at}, nil
}

const chunk = 128 << 10

// firstUnequal returns the offset of the first byte in which two streams differ, or at which one of them
// ends; -1: they are equal.
func firstUnequal(a, b io.Reader) (int64, error) {
	bufA, bufB := make([]byte, chunk), make([]byte, chunk)
	for at := int64(0); ; {
		n, err := fill(a, bufA)
		if err != nil {
			return 0, err
		}
		m, err := fill(b, bufB)
		if err != nil {
			return 0, err
		}
		if same := min(n, m); n != m || !bytes.Equal(bufA[:same], bufB[:same]) {
			for i := range same {
				if bufA[i] != bufB[i] {
					return at + int64(i), nil
				}
			}
			return at + int64(same), nil
		}
		if n < chunk {
			return -1, nil
		}
		at += int64(n)
	}
}

// fill reads until buf is full or r ends. Unlike io.ReadFull it tells the end from what was cut off.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

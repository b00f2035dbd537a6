package java

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// date is the time of all members: the first that a zip can say.
var date = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	manifest   = "META-INF/MANIFEST.MF"
	maxMembers = 200_000
	maxJar     = 2 << 30 // bytes, unpacked
)

// Normalize writes a jar anew, so that its bytes depend on what is in it alone: members sorted, the manifest first
// as readers of streams want it, no times, and no dates in pom.properties. Plugins of Maven's older than
// project.build.outputTimestamp write the clock into all of these.
func Normalize(ctx context.Context, from, to string) (err error) {
	in, err := zip.OpenReader(from)
	if err != nil {
		return fmt.Errorf("not a jar: %w", err)
	}
	defer in.Close()
	members := slices.Clone(in.File)
	if len(members) > maxMembers {
		return fmt.Errorf("more than %d members", maxMembers)
	}
	slices.SortStableFunc(members, func(a, b *zip.File) int { return strings.Compare(sortKey(a.Name), sortKey(b.Name)) })
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := zip.NewWriter(out)
	left := int64(maxJar)
	for i, m := range members {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i > 0 && members[i-1].Name == m.Name {
			return fmt.Errorf("member %s comes twice", m.Name)
		}
		n, err := copyMember(w, m, left)
		if err != nil {
			return fmt.Errorf("member %s: %w", m.Name, err)
		}
		left -= n
	}
	return w.Close()
}

// sortKey puts the manifest and its folder before all others.
func sortKey(name string) string {
	switch name {
	case "META-INF/":
		return "\x00"
	case manifest:
		return "\x01"
	}
	return name
}

// create begins a member; a name that ends in "/" is a folder's.
func create(w *zip.Writer, name string) (io.Writer, error) {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: date}
	if strings.HasSuffix(name, "/") {
		h.Method = zip.Store
	}
	return w.CreateHeader(h)
}

func copyMember(w *zip.Writer, m *zip.File, left int64) (int64, error) {
	out, err := create(w, m.Name)
	if err != nil || strings.HasSuffix(m.Name, "/") {
		return 0, err
	}
	in, err := m.Open()
	if err != nil {
		return 0, err
	}
	defer in.Close()
	bounded := io.LimitReader(in, left+1)
	var n int64
	if path.Base(m.Name) == "pom.properties" && strings.HasPrefix(m.Name, "META-INF/maven/") {
		n, err = withoutComments(out, bounded)
	} else {
		n, err = io.Copy(out, bounded)
	}
	if err == nil && n > left {
		err = fmt.Errorf("the jar unpacks to more than %d bytes", int64(maxJar))
	}
	return n, err
}

// withoutComments copies a file of Java properties without its comments: one of them is a date.
func withoutComments(out io.Writer, in io.Reader) (int64, error) {
	var n int64
	for lines := bufio.NewReader(in); ; {
		line, err := lines.ReadString('\n')
		n += int64(len(line))
		if line = strings.TrimRight(line, "\r\n"); line != "" && line[0] != '#' {
			if _, err := io.WriteString(out, line+"\n"); err != nil {
				return n, err
			}
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

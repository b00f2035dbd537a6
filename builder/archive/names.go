package archive

import (
	"path"
	"strings"
)

// maxName is Linux's PATH_MAX.
const maxName = 4096

// cleanName returns an entry's name without "./" in front and "/" behind, or
// says what is wrong with it. The archive's top is ".". dir allows a final slash.
func cleanName(name string, dir bool, depth int) (string, error) {
	if len(name) > maxName {
		return "", refuse(ErrLimit, "a name of %d bytes; allowed are %d", len(name), maxName)
	}
	if strings.HasPrefix(name, "/") {
		return "", refuse(ErrEscape, "the name is absolute")
	}
	rest := strings.TrimPrefix(name, "./")
	if dir {
		rest = strings.TrimSuffix(rest, "/")
	}
	if dir && (rest == "" || rest == ".") && name != "" {
		return ".", nil
	}
	if rest == "" {
		return "", refuse(ErrName, "the name is empty")
	}
	parts := 0
	for part := range strings.SplitSeq(rest, "/") {
		parts++
		switch {
		case part == "..":
			return "", refuse(ErrEscape, `the name has a ".." in it`)
		case part == "" || part == ".":
			return "", refuse(ErrName, `the name has an empty or "." component`)
		case strings.IndexByte(part, 0) >= 0:
			return "", refuse(ErrName, "the name has a NUL byte in it")
		}
	}
	if parts > depth {
		return "", refuse(ErrLimit, "a name of %d components; allowed are %d", parts, depth)
	}
	return rest, nil
}

// stripName drops the first n components; ok is false when nothing is left.
func stripName(name string, n int) (rest string, ok bool) {
	for range n {
		_, after, found := strings.Cut(name, "/")
		if !found {
			return "", false
		}
		name = after
	}
	return name, true
}

// confined reports whether a symbolic link at name with this target stays in
// the tree, whatever other confined links its target passes through: ".." may
// only stand at the start, where the directories are known not to be links.
func confined(name, target string) bool {
	if target == "" || path.IsAbs(target) {
		return false
	}
	level := strings.Count(name, "/")
	leading := true
	for part := range strings.SplitSeq(target, "/") {
		switch {
		case part == "" || part == ".":
		case part != "..":
			leading = false
		case !leading || level == 0:
			return false
		default:
			level--
		}
	}
	return true
}

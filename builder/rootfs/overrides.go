package rootfs

import (
	"fmt"
	"strconv"
	"strings"
)

// applyOverrides gives unpacked paths the owner and mode that a lower tree's statoverride file has
// for them (dpkg-statoverride(1)): lines "USER GROUP MODE PATH", with #ID for a number.
func (t *tree) applyOverrides(units []*unit) error {
	content, err := readOptional(t.root, dpkgDir+"/statoverride")
	if err != nil || len(content) == 0 {
		return err
	}
	where := map[string]string{} // listed name -> name in the tree
	for _, u := range units {
		for _, p := range u.paths {
			where["/"+p.listed] = p.Name
		}
	}
	for line := range strings.Lines(string(content)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
		if len(f) != 4 {
			return fmt.Errorf("rootfs: %s/statoverride: %q is not USER GROUP MODE PATH", dpkgDir, line)
		}
		name, ok := where[f[3]]
		if !ok {
			continue
		}
		uid, errU := lookID(t.db.users, f[0])
		gid, errG := lookID(t.db.groups, f[1])
		mode, errM := strconv.ParseUint(f[2], 8, 12)
		if errU != nil || errG != nil || errM != nil {
			return fmt.Errorf("rootfs: %s/statoverride: %q: unknown user, group or mode", dpkgDir, line)
		}
		if err := t.root.Lchown(name, uid, gid); err != nil {
			return fmt.Errorf("rootfs: statoverride: %w", err)
		}
		if err := t.chmod(name, uint32(mode)); err != nil {
			return fmt.Errorf("rootfs: statoverride: %w", err)
		}
	}
	return nil
}

func lookID(ids map[string]int, name string) (int, error) {
	if number, ok := strings.CutPrefix(name, "#"); ok {
		return strconv.Atoi(number)
	}
	if id, ok := ids[name]; ok {
		return id, nil
	}
	return 0, fmt.Errorf("%q is not known", name)
}

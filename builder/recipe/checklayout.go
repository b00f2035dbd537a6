package recipe

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// verbs of an [Operation], each with the keys that may stand beside it.
var verbs = map[string][]string{
	"copy":     {"to", "mode", "owner", "group"},
	"extract":  {"to", "member", "include", "exclude", "strip", "mode", "owner", "group"},
	"egg":      {"to", "like", "python"},
	"link":     {"to"},
	"dir":      {"mode", "owner", "group"},
	"program":  {"to", "mode", "owner", "group"},
	"checkout": {"to"},
	"file":     {"to", "mode", "owner", "group"},
	"java":     {"to", "classpath", "jdk", "release", "mode", "owner", "group"},

	"rearrange": {"to", "jars"},
	"pack":      {"to", "jars", "from", "top", "exclude", "add"},
}

// programs of this repository that a layout may install.
var programs = []string{"forge", "forge-node", "forge-standin"}

// layout checks a list of operations at key path at.
func (k *componentCheck) layout(at string, ops []Operation) {
	for i, op := range ops {
		k.operation(at+"/"+strconv.Itoa(i), op)
	}
}

func (k *componentCheck) operation(at string, op Operation) {
	d := k.d
	var found []string
	for _, verb := range sortedKeys(verbs) {
		if d.has(at + "/" + verb) {
			found = append(found, verb)
		}
	}
	if len(found) != 1 {
		d.errorf(at, "", "an operation has exactly one of %s; this has %d",
			strings.Join(sortedKeys(verbs), ", "), len(found))
		return
	}
	verb := found[0]
	for _, key := range []string{"to", "member", "include", "exclude", "strip", "like", "python", "mode", "owner", "group", "from", "top", "jars", "add", "classpath", "jdk", "release"} {
		if d.has(at+"/"+key) && !slices.Contains(verbs[verb], key) {
			d.errorf(at+"/"+key, "", "%q has no meaning beside %q", key, verb)
		}
	}
	if verb != "dir" && op.To == "" {
		d.errorf(at, "", "%q needs a %q", verb, "to")
		return
	}
	switch verb {
	case "copy":
		for i, name := range op.Copy {
			k.artifact(at+"/copy/"+strconv.Itoa(i), name)
		}
		if len(op.Copy) != 1 && !strings.HasSuffix(op.To, "/") {
			d.errorf(at+"/to", "end it with /", "%d files can't all become %q", len(op.Copy), op.To)
		}
		checkTargetPath(d, at+"/to", strings.TrimSuffix(op.To, "/"))
	case "extract":
		k.artifact(at+"/extract", op.Extract)
		checkTargetPath(d, at+"/to", op.To)
		for key, list := range map[string][]string{"include": op.Include, "exclude": op.Exclude} {
			for i, glob := range list {
				if _, err := path.Match(glob, ""); err != nil || strings.HasPrefix(glob, "/") {
					d.errorf(at+"/"+key+"/"+strconv.Itoa(i), "", "%q is not a pattern for names in an archive", glob)
				}
			}
		}
	case "egg":
		k.artifact(at+"/egg", op.Egg)
		checkTargetPath(d, at+"/to", op.To)
		if op.Python == "" {
			d.errorf(at, "", "an egg needs the version of Python that it is for: python: \"2.7\"")
		}
		if like, ok := k.stack.Components[op.Like]; op.Like != "" && (!ok || like.Upstream == nil || !slices.Contains(k.c.Requires, op.Like)) {
			d.errorf(at+"/like", "", "%q is not a required component with an upstream package", op.Like)
		}
	case "link":
		checkTargetPath(d, at+"/link", op.Link)
	case "dir":
		checkTargetPath(d, at+"/dir", op.Dir)
	case "program":
		if !slices.Contains(programs, op.Program) {
			d.errorf(at+"/program", didYouMean(op.Program, programs), "unknown program %q", op.Program)
		}
		checkTargetPath(d, at+"/to", op.To)
	case "checkout":
		if folders := []string{recipesDir, overlaysDir}; !slices.Contains(folders, op.Checkout) {
			d.errorf(at+"/checkout", didYouMean(op.Checkout, folders), "%q is not one of the folders %s of the checkout", op.Checkout, strings.Join(folders, " and "))
		}
		checkTargetPath(d, at+"/to", op.To)
	case "rearrange", "pack":
		k.archive(at, verb, op)
	case "java":
		k.java(at, op)
	case "file":
		k.checkSourcePath(d, at+"/file", k.c.Dir, op.File)
		checkTargetPath(d, at+"/to", op.To)
	}
}

// archive checks an operation that makes an archive for the executors of MapReduce 1.
func (k *componentCheck) archive(at, verb string, op Operation) {
	d := k.d
	checkTargetPath(d, at+"/to", op.To)
	if !strings.HasSuffix(op.To, ".tar.gz") {
		d.errorf(at+"/to", "", "an archive's name ends in .tar.gz")
	}
	for i, name := range op.Jars {
		k.artifact(at+"/jars/"+strconv.Itoa(i), name)
	}
	if verb == "rearrange" {
		k.artifact(at+"/rearrange", op.Rearrange)
		return
	}
	other, there := k.stack.Components[op.Pack]
	switch {
	case !there:
		d.errorf(at+"/pack", didYouMean(op.Pack, sortedKeys(k.stack.Components)), "unknown component %q", op.Pack)
	case slices.ContainsFunc(other.Layout, func(o Operation) bool { return o.Pack != "" }):
		d.errorf(at+"/pack", "", "%s packs another component itself", op.Pack)
	}
	checkTargetPath(d, at+"/from", op.From)
	for _, name := range sortedKeys(op.Add) {
		if !fs.ValidPath(name) {
			d.errorf(at+"/add/"+name, "", "%q is no path in an archive", name)
		}
		k.checkSourcePath(d, at+"/add/"+name, k.c.Dir, op.Add[name])
	}
	if before, _, _ := strings.Cut(path.Base(op.To), "."); !strings.HasPrefix(op.Top, before) {
		d.errorf(at+"/top", "", "an executor that unpacks %s looks for a folder %s*, not for %q", path.Base(op.To), before, op.Top)
	}
}

package recipe

import (
	"path"
	"regexp"
	"strings"
)

var (
	mavenPattern = regexp.MustCompile(`^[A-Za-z0-9._-]+:[A-Za-z0-9._-]+:[A-Za-z0-9._-]+(:[A-Za-z0-9._-]*)?(:[A-Za-z0-9.]+)?$`)
	pypiPattern  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?==[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?$`)
	pypiLoose    = regexp.MustCompile(`^\s*([A-Za-z0-9._-]+)\s*(?:===?|=|~=|!=|<=?|>=?|@)\s*([0-9][A-Za-z0-9.]*)\s*$`)
)

func (k *componentCheck) source(at string, s Source) {
	set := 0
	if s.Maven != "" {
		set++
		if !mavenPattern.MatchString(s.Maven) {
			k.d.errorf(at+"/maven", "", "%q is not group:artifact:version[:classifier[:type]]", s.Maven)
		}
	}
	if s.PyPI != "" {
		set++
		if !pypiPattern.MatchString(s.PyPI) {
			hint := ""
			if m := pypiLoose.FindStringSubmatch(s.PyPI); m != nil {
				hint = meanHint(m[1] + "==" + m[2])
			}
			k.d.errorf(at+"/pypi", hint, "%q is not NAME==VERSION with a fixed version", s.PyPI)
		}
	}
	if s.HTTP != "" {
		set++
		checkURL(k.d, at+"/http", s.HTTP)
	}
	if s.File != "" {
		set++
		k.baseGlob(at+"/file", s.File)
	}
	if s.MavenBuild != nil {
		set++
		k.mavenBuild(at+"/maven_build/", *s.MavenBuild)
	}
	if set != 1 {
		k.d.errorf(at, "", "a source has exactly one of maven, pypi, http, file and maven_build; this has %d", set)
	}
}

func (k *componentCheck) mavenBuild(at string, m MavenBuild) {
	if _, err := path.Match(m.Jar, ""); err != nil || m.Jar == "" || path.IsAbs(m.Jar) || path.Clean(m.Jar) != m.Jar || strings.HasPrefix(m.Jar, "..") {
		k.d.errorf(at+"jar", "", "%q is not a pattern for a file below the project's folder", m.Jar)
	}
	k.jdk(strings.TrimSuffix(at, "/"), m.JDK)
}

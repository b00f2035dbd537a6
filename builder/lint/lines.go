package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/cluster"
)

// lineRules are commands and entries that are wrong by themselves. %s in a message stands for what matched.
var lineRules = []struct {
	id            string
	kinds         []kind
	re            pattern
	message, hint string
	stackOnly     bool // not on a hand-made node, where a person may well type it
}{
	{"F08", commands, compile(`\b(chkconfig\s+\S+|setenforce\s+\S+|(?:service|systemctl\s+\w+)\s+iptables\b)`),
		"%q belongs to Red Hat's distributions; Debian and Ubuntu have neither the command nor the service", "remove the line", false},
	{"F09", commands, compile(`\b(addusr(?:\s+\S+)?)`),
		"%q is no command", "remove the line: the packages make the users hdfs and mapred", false},
	{"F09", commands, compile(`\b((?:adduser|useradd|passwd)\s+(?:-\S+\s+(?:[^-\s]\S*\s+)?)*hadoop)\s*$`),
		"%q makes a login called hadoop beside the packages' group of that name", "remove the line: the packages make the users hdfs and mapred", false},
	{"F10", commands, compile(`\b(chown\s+(?:-\S+\s+)*hadoop(?::hadoop)?\s.*/dfs/\S*)`),
		"%q: HDFS can't write to directories of the user hadoop", "write chown hdfs:hdfs, or leave it to forge-node", false},
	{"F10", commands, compile(`\b((?:sudo\s+-u|su\s+(?:-\s+)?)\s*hadoop\b.*namenode.*)`),
		"%q runs as hadoop: the NameNode, which runs as hdfs, can't read what it writes", "write sudo -u hdfs", false},
	{"F10", []kind{yamlRecipe}, compile(`\b((?:owner|user):\s*["']?hadoop\b)`),
		"%q: HDFS and its directories belong to hdfs", "write hdfs", false},
	{"F16", []kind{script}, compile(`\b((?:service\s+\S+\s+(?:re)?start|(?:systemctl|initctl)\s+(?:re)?start\s+\S+|invoke-rc\.d\s+\S+\s+(?:re)?start|/etc/init\.d/\S+\s+(?:re)?start))\b`),
		"%q starts a service by script, before it is configured and formatted", "remove the line: forge-node starts the services of the role", true},
	{"F18", commands, compile(`(?:^|[;&]\s*)\s*(?:sudo\s+)?(/etc/profile\.d/\S+\.sh)\s*$`),
		"%q is executed: what it exports ends with that process, and services never read it", "write the settings to /etc/default/SERVICE", false},
	{"F14", []kind{script}, compile(`\b((?:hadoop|hdfs)\s+namenode\s+.*-format)\b`),
		"%q formats a NameNode wherever the script runs: on each master it makes a file system of its own", "one NameNode, or hdfs.ha; forge-node formats it once", true},
	{"F01", []kind{script}, compile(`\b(?:service|start|stop|restart|systemctl\s+\w+|update-rc\.d)\s+((?:Mesos|ZooKeeper|Zookeeper|Hadoop|Marathon|Spark|Azkaban)[\w.-]*)`),
		"the service %q has capital letters; there is none of that name", "write it in lower case", false},
	{"F01", []kind{script}, compile(`\binstall\s+.*\b((?:Mesos|ZooKeeper|Zookeeper|Hadoop|Marathon|Spark|Azkaban)[\w.-]*)`),
		"the package %q has capital letters; there is none of that name", "write it in lower case", false},
}

var commands = []kind{script, env, yamlRecipe}

// lines checks a text line by line.
func (l *linter) lines(t text) {
	hosts := strings.HasPrefix(strings.ToLower(t.path), "/etc/hosts")
	t.each(func(at place, line string) {
		command, lower := code(line), strings.ToLower(line)
		for _, s := range lineSights {
			if !s.re.may(lower) {
				continue
			}
			from := line
			if !s.comments {
				from = command
			}
			for _, m := range s.re.re.FindAllStringSubmatch(from, -1) {
				l.see(s.what, m[1], at, t.node)
			}
		}
		l.packages(command, lower, at, t)
		l.repository(command, lower, at)
		for _, r := range lineRules {
			if !r.re.may(lower) {
				continue
			}
			if m := r.re.re.FindStringSubmatchIndex(command); m != nil && slices.Contains(r.kinds, t.kind) && !(l.byHand && r.stackOnly) {
				at.column = m[2] + 1
				l.add(at, cluster.Finding{Rule: r.id, Message: fmt.Sprintf(r.message, strings.TrimSpace(command[m[2]:m[3]])), Hint: r.hint})
			}
		}
		at.column = 1
		if t.kind == script || t.kind == env {
			l.profile(command, lower, at, t)
		}
		if !hosts && !strings.Contains(line, "{{") {
			for _, f := range l.facts.CheckText(command) {
				l.add(at, f)
			}
		}
	})
}

// packages notes what a line installs.
func (l *linter) packages(command, lower string, at place, t text) {
	if !aptInstall.may(lower) && !getting.may(lower) {
		return
	}
	for _, m := range aptInstall.re.FindAllStringSubmatch(command, -1) {
		for name := range strings.FieldsSeq(m[1]) {
			if !packName.MatchString(name) {
				continue
			}
			l.see(sawInstall, strings.ToLower(name), at, t.node)
			if hdfsDaemon.MatchString(name) && t.kind == script {
				l.see(sawHDFSPackage, name, at, t.node)
			}
		}
	}
	if getting.re.MatchString(command) {
		l.see(sawInstall, strings.ToLower(strings.TrimSpace(command)), at, t.node)
	}
}

// releases of Ubuntu and Debian that Cloudera's repository and others are named after.
var (
	releaseInURL = compile(`\b(?:https?|ftp)://\S*/(lucid|precise|trusty|xenial|squeeze|wheezy|jessie|stretch|buster|bullseye|bookworm|trixie)(?:/|-|\s|$)`)
	releaseEntry = compile(`^\s*deb(?:-src)?\s+(?:\[[^\]]*\]\s+)?\S+\s+(lucid|precise|trusty|xenial|squeeze|wheezy|jessie|stretch|buster|bullseye|bookworm|trixie)\b`)
)

// repository checks that packages come from the repository of the machine's release.
func (l *linter) repository(command, lower string, at place) {
	if l.release == "" {
		return
	}
	for _, re := range []pattern{releaseInURL, releaseEntry} {
		if !re.may(lower) {
			continue
		}
		if m := re.re.FindStringSubmatchIndex(command); m != nil && command[m[2]:m[3]] != l.release {
			at.column = m[2] + 1
			l.add(at, cluster.Finding{Rule: "F11", Message: fmt.Sprintf("a repository of %s on %s: its packages were made for other libraries", command[m[2]:m[3]], l.release),
				Hint: fmt.Sprintf("write %s, and pin the repository's packages", l.release)})
		}
	}
}

var daemonSetting = compile(`^\s*export\s+((?:MESOS|HADOOP|SPARK|JAVA|HDFS)_\w+)=`)

// profile checks that settings of services stand where services read them.
func (l *linter) profile(command, lower string, at place, t text) {
	if !daemonSetting.may(lower) {
		return
	}
	m := daemonSetting.re.FindStringSubmatch(command)
	if m == nil || !strings.HasPrefix(strings.ToLower(t.path), "/etc/profile.d/") {
		return
	}
	l.add(at, cluster.Finding{Rule: "F18", Message: fmt.Sprintf("%s is exported in %s, which shells of people read and services don't", m[1], t.path),
		Hint: "write it to /etc/default/SERVICE"})
}

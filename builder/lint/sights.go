package lint

import "regexp"

// what is a kind of sighting.
type what string

const (
	sawMesosDeb      what = "Mesos package"       // version
	sawMesosEgg      what = "Mesos egg"           // version
	sawCDH           what = "CDH"                 // version
	sawHadoopMesos   what = "hadoop-mesos"        // version
	sawMarathon      what = "Marathon"            // version
	sawName          what = "a name of software"  // "marathon", "azkaban"
	sawInstall       what = "an installation"     // package or command
	sawService       what = "a service"           // its name, lower case
	sawConfDir       what = "a configuration dir" // "conf.name"
	sawAlternative   what = "an alternative"      // what hadoop-conf is set to
	sawMR1Dir        what = "MRv1's folder"       // the path
	sawPolicy        what = "policy-rc.d"         // the line
	sawRemove        what = "a removed archive"   // base name
	sawPack          what = "an archive is made"  // base name
	sawUpload        what = "an archive goes up"  // base name
	sawSpark         what = "Spark's archive"     // name
	sawMyID          what = "myid"                // content
	sawHosts         what = "/etc/hosts"          // content
	sawHostname      what = "/etc/hostname"       // content
	sawSite          what = "a site file"         // base name
	sawJobTracker    what = "mapred.job.tracker"  // value
	sawExecutorURI   what = "executor URI"        // value
	sawSparkVersion  what = "Spark"               // version
	sawNameDir       what = "a name directory"    // path
	sawDataDir       what = "a data directory"    // path
	sawFormat        what = "a format"            // the command
	sawHDFSPackage   what = "an HDFS daemon"      // package
	sawSparkSettings what = "a setting of Spark"  // name
)

// lineSights are gathered from every line of scripts and recipes. The first group is the value.
var lineSights = []struct {
	what     what
	re       pattern
	comments bool // in comments, too
}{
	{sawMesosDeb, compile(`(?i)\bmesos[_-]([0-9]+\.[0-9]+\.[0-9]+)[^/\s]*\.deb\b`), false},
	{sawMesosEgg, compile(`(?i)\bmesos[a-z.]*-([0-9]+\.[0-9]+\.[0-9]+\w*)-py[0-9.]+[^/\s]*\.egg\b`), false},
	{sawCDH, compile(`\bcdh([0-9]+\.[0-9]+\.[0-9]+)\b`), false},
	{sawHadoopMesos, compile(`\bhadoop-mesos-([0-9]+\.[0-9]+\.[0-9]+)\.jar\b`), false},
	{sawMarathon, compile(`(?i)\bmarathon[_-]v?([0-9]+\.[0-9]+\.[0-9]+)`), false},
	{sawName, compile(`(?i)\b(marathon|azkaban)\b`), true},
	{sawService, compile(`\b(?:service|restart|start|stop)\s+([A-Za-z][\w.-]+)(?:\s+(?:re)?start|\s+stop|\s*$|\s*;)`), false},
	{sawService, compile(`\bsystemctl\s+(?:--\S+\s+)*\w+\s+([A-Za-z][\w.-]+)`), false},
	{sawService, compile(`\bupdate-rc\.d\s+([A-Za-z][\w.-]+)`), false},
	{sawConfDir, compile(`/etc/hadoop/(conf\.[A-Za-z0-9_-]+)\b`), false},
	{sawAlternative, compile(`\bupdate-alternatives\s+--set\s+hadoop-conf\s+(\S+)`), false},
	{sawMR1Dir, compile(`(/usr/lib/hadoop-0\.20-mapreduce)\b`), false},
	{sawPolicy, compile(`(policy-rc\.d)`), false},
	{sawRemove, compile(`\brm\s+(?:-\w+\s+)*(?:\S*/)?([^\s/]+\.(?:tar\.gz|tgz))`), false},
	{sawPack, compile(`\btar\s+-?c\w*f\s+(?:\S*/)?([^\s/]+\.(?:tar\.gz|tgz))`), false},
	{sawUpload, compile(`\s-put\s+(?:\S*/)?([^\s/]+\.(?:tar\.gz|tgz))`), false},
	{sawUpload, compile(`/hdfs-files,?\s+(?:\S*/)?([^\s/]+\.(?:tar\.gz|tgz))`), false},
	{sawPack, compile(`^\s*to:\s+/\S*/archives/([^\s/]+\.(?:tar\.gz|tgz))`), false},
	{sawSpark, compile(`\b(spark-[0-9][\w.-]*\.tgz)\b`), false},
	{sawSparkVersion, compile(`\bspark-([0-9]+\.[0-9]+\.[0-9]+)[\w.-]*\.tgz\b`), false},
	{sawNameDir, compile(`(/[\w./-]+/dfs/nn)\b`), false},
	{sawDataDir, compile(`(/[\w./-]+?/dfs/dn)(?:\s|$)`), false},
	{sawFormat, compile(`\b((?:hadoop|hdfs)\s+namenode\s+.*-format)\b`), false},
}

var (
	aptInstall = compile(`\b(?:apt-get|apt|aptitude)\s+(?:-\S+\s+)*install\s+([^;&|#]+)`)
	packName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+-]+$`)
	hdfsDaemon = regexp.MustCompile(`^hadoop-(?:hdfs-(?:namenode|datanode|secondarynamenode|journalnode|zkfc)|0\.20-mapreduce-\w+)$`)
	getting    = compile(`\b(?:wget|curl|dpkg\s+-i|easy_install|pip\s+install|git\s+clone|tar\s+-?x)`)
)

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
	re       *regexp.Regexp
	comments bool // in comments, too
}{
	{sawMesosDeb, regexp.MustCompile(`(?i)\bmesos[_-]([0-9]+\.[0-9]+\.[0-9]+)[^/\s]*\.deb\b`), false},
	{sawMesosEgg, regexp.MustCompile(`(?i)\bmesos[a-z.]*-([0-9]+\.[0-9]+\.[0-9]+\w*)-py[0-9.]+[^/\s]*\.egg\b`), false},
	{sawCDH, regexp.MustCompile(`\bcdh([0-9]+\.[0-9]+\.[0-9]+)\b`), false},
	{sawHadoopMesos, regexp.MustCompile(`\bhadoop-mesos-([0-9]+\.[0-9]+\.[0-9]+)\.jar\b`), false},
	{sawMarathon, regexp.MustCompile(`(?i)\bmarathon[_-]v?([0-9]+\.[0-9]+\.[0-9]+)`), false},
	{sawName, regexp.MustCompile(`(?i)\b(marathon|azkaban)\b`), true},
	{sawService, regexp.MustCompile(`\b(?:service|restart|start|stop)\s+([A-Za-z][\w.-]+)(?:\s+(?:re)?start|\s+stop|\s*$|\s*;)`), false},
	{sawService, regexp.MustCompile(`\bsystemctl\s+(?:--\S+\s+)*\w+\s+([A-Za-z][\w.-]+)`), false},
	{sawService, regexp.MustCompile(`\bupdate-rc\.d\s+([A-Za-z][\w.-]+)`), false},
	{sawConfDir, regexp.MustCompile(`/etc/hadoop/(conf\.[A-Za-z0-9_-]+)\b`), false},
	{sawAlternative, regexp.MustCompile(`\bupdate-alternatives\s+--set\s+hadoop-conf\s+(\S+)`), false},
	{sawMR1Dir, regexp.MustCompile(`(/usr/lib/hadoop-0\.20-mapreduce)\b`), false},
	{sawPolicy, regexp.MustCompile(`(policy-rc\.d)`), false},
	{sawRemove, regexp.MustCompile(`\brm\s+(?:-\w+\s+)*(?:\S*/)?([^\s/]+\.(?:tar\.gz|tgz))`), false},
	{sawPack, regexp.MustCompile(`\btar\s+-?c\w*f\s+(?:\S*/)?([^\s/]+\.(?:tar\.gz|tgz))`), false},
	{sawUpload, regexp.MustCompile(`\s-put\s+(?:\S*/)?([^\s/]+\.(?:tar\.gz|tgz))`), false},
	{sawUpload, regexp.MustCompile(`/hdfs-files,?\s+(?:\S*/)?([^\s/]+\.(?:tar\.gz|tgz))`), false},
	{sawPack, regexp.MustCompile(`^\s*to:\s+/\S*/archives/([^\s/]+\.(?:tar\.gz|tgz))`), false},
	{sawSpark, regexp.MustCompile(`\b(spark-[0-9][\w.-]*\.tgz)\b`), false},
	{sawSparkVersion, regexp.MustCompile(`\bspark-([0-9]+\.[0-9]+\.[0-9]+)[\w.-]*\.tgz\b`), false},
	{sawNameDir, regexp.MustCompile(`(/[\w./-]+/dfs/nn)\b`), false},
	{sawDataDir, regexp.MustCompile(`(/[\w./-]+?/dfs/dn)(?:\s|$)`), false},
	{sawFormat, regexp.MustCompile(`\b((?:hadoop|hdfs)\s+namenode\s+.*-format)\b`), false},
}

var (
	aptInstall = regexp.MustCompile(`\b(?:apt-get|apt|aptitude)\s+(?:-\S+\s+)*install\s+([^;&|#]+)`)
	packName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+-]+$`)
	hdfsDaemon = regexp.MustCompile(`^hadoop-(?:hdfs-(?:namenode|datanode|secondarynamenode|journalnode|zkfc)|0\.20-mapreduce-\w+)$`)
	getting    = regexp.MustCompile(`\b(?:wget|curl|dpkg\s+-i|easy_install|pip\s+install|git\s+clone|tar\s+-?x)`)
)

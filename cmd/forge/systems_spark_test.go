package main_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const piJob = `import random, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("pi").getOrCreate()
n = 200000
def inside(seed):
    r = random.Random(seed)
    return sum(1 for _ in range(n // 8) if r.random() ** 2 + r.random() ** 2 < 1)
print("pi is", 4.0 * spark.sparkContext.parallelize(range(8), 4).map(inside).sum() / n)
spark.stop()
`

const wordsJob = `import sys
from operator import add
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("words").getOrCreate()
lines = spark.sparkContext.textFile(sys.argv[1])
counts = lines.flatMap(lambda l: l.split()).map(lambda w: (w, 1)).reduceByKey(add).sortByKey()
counts.map(lambda c: "%s\t%d" % c).coalesce(1).saveAsTextFile(sys.argv[2])
spark.stop()
`

// readsJob reads a file in parts, and as a table that it writes itself; then files that can't be read.
const readsJob = `import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("reads").getOrCreate()
whole, secret, lost = sys.argv[1:]
lines = spark.sparkContext.textFile(whole)
print("lines of each part:", lines.mapPartitions(lambda part: [sum(1 for _ in part)]).collect())
spark.read.text(whole).write.parquet(whole + ".parquet")
print("rows:", spark.read.parquet(whole + ".parquet").distinct().count(), spark.read.parquet(whole + ".parquet").count())
for path in secret, lost:
    try:
        print(path, "has", spark.sparkContext.textFile(path).count())
    except Exception as e:
        print(path, "fails:", " ".join(str(e).split()))
spark.stop()
`

// testSpark runs a job in local mode, as root of nothing, and others that read and write HDFS by WebHDFS: the protocol
// of Hadoop 1.2.1 is not Spark's.
func testSpark(t *testing.T, c *testCluster) {
	t.Helper()
	for _, name := range []string{"master1", "slave1"} {
		b := c.boxes[name]
		b.put("/tmp/pi.py", []byte(piJob))
		out := b.as("spark", "spark-submit", "--master", "local[2]", "/tmp/pi.py")
		m := regexp.MustCompile(`pi is ([0-9.]+)`).FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("%s: no pi in %s", name, out)
		}
		if pi, err := strconv.ParseFloat(m[1], 64); err != nil || pi < 3.1 || pi > 3.2 {
			t.Errorf("%s: pi is %s", name, m[1])
		}
	}
	const n = 400_000 // words: more than two blocks
	slave := c.boxes["slave1"]
	text, want := words(n)
	slave.put("/tmp/spark-words.txt", []byte(text))
	slave.put("/tmp/words.py", []byte(wordsJob))
	slave.as("spark", "hadoop", "fs", "-D", "dfs.block.size=1048576", "-put", "/tmp/spark-words.txt", "/user/spark/in.txt")
	slave.as("spark", "spark-submit", "--master", "local[2]", "/tmp/words.py", "/user/spark/in.txt", "/user/spark/words")
	checkCounts(t, c.boxes["master1"], "/user/spark/words", want)
	testSparkReads(t, c, text)
}

// testSparkReads wants a part for each block of a file, a table that was written to be read, and the servers' own
// errors of what can't be read.
func testSparkReads(t *testing.T, c *testCluster, text string) {
	t.Helper()
	slave := c.boxes["slave1"]
	slave.as("hdfs", "hadoop", "fs", "-put", "/tmp/spark-words.txt", "/secret.txt")
	slave.as("hdfs", "hadoop", "fs", "-chmod", "600", "/secret.txt")
	slave.as("spark", "hadoop", "fs", "-D", "dfs.block.size=1048576", "-D", "dfs.replication=1", "-put", "/tmp/spark-words.txt", "/user/spark/lost.txt")
	blocks := regexp.MustCompile(`blk_-?[0-9]+`).FindAllString(slave.as("hdfs", "hadoop", "fsck", "/user/spark/lost.txt", "-files", "-blocks"), -1)
	if want := (len(text) + 1<<20 - 1) >> 20; len(blocks) != want {
		t.Fatalf("the file has the blocks %v, want %d", blocks, want)
	}
	removed := ""
	for name, b := range c.boxes {
		if strings.HasPrefix(name, "slave") {
			removed += b.must("sh", "-c", "find /data/*/dfs/dn -name "+blocks[1]+" -print -delete")
		}
	}
	if strings.Count(removed, "\n") != 1 {
		t.Fatalf("the block %s of the lost file was %q", blocks[1], removed)
	}
	slave.put("/tmp/reads.py", []byte(readsJob))
	out := slave.as("spark", "spark-submit", "--master", "local[2]", "/tmp/reads.py", "/user/spark/in.txt", "/secret.txt", "/user/spark/lost.txt")
	lines, sum := strings.Count(text, "\n"), 0
	parts := regexp.MustCompile(`[0-9]+`).FindAllString(regexp.MustCompile(`lines of each part: .*`).FindString(out), -1)
	for _, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n == 0 || n > lines/2 {
			t.Errorf("a part has %s of %d lines", part, lines)
		}
		sum += n
	}
	if len(parts) < len(blocks) || sum != lines {
		t.Errorf("the parts have the lines %v, want %d in at least %d parts", parts, lines, len(blocks))
	}
	// A block that is lost for good would keep HDFS in safe mode after its next start.
	slave.as("spark", "hadoop", "fs", "-rm", "-skipTrash", "/user/spark/lost.txt")
	for _, want := range []string{
		fmt.Sprintf(`rows: [0-9]+ %d\n`, lines),
		`/secret\.txt fails: .*AccessControlException: http://master1:50070/webhdfs/v1/secret\.txt.* 403 .*Permission denied: user=spark`,
		`/user/spark/lost\.txt fails: .*IOException: http://slave[0-9]:50075/webhdfs/v1/user/spark/lost\.txt.* 500 Could not obtain block: ` + blocks[1],
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("the job does not say %q:\n%s", want, out)
		}
	}
}

// testSparkHDFS counts words of a file in HDFS into another.
func testSparkHDFS(t *testing.T, c *testCluster) {
	t.Helper()
	slave := c.boxes["slave1"]
	text, want := words(5000)
	slave.put("/tmp/spark-words.txt", []byte(text))
	slave.put("/tmp/words.py", []byte(wordsJob))
	slave.as("hdfs", "hadoop", "fs", "-mkdir", "-p", "/user/spark")
	slave.as("hdfs", "hadoop", "fs", "-chown", "spark", "/user/spark")
	slave.as("spark", "hadoop", "fs", "-put", "/tmp/spark-words.txt", "/user/spark/in.txt")
	slave.as("spark", "spark-submit", "--master", "local[2]", "/tmp/words.py", "/user/spark/in.txt", "/user/spark/words")
	checkCounts(t, c.boxes["master3"], "/user/spark/words", want)
}

// checkCounts reads the result of a job with another client than the job's.
func checkCounts(t *testing.T, b *box, dir, want string) {
	t.Helper()
	b.as("hdfs", "hadoop", "fs", "-test", "-e", dir+"/_SUCCESS")
	if got := b.as("hdfs", "hadoop", "fs", "-cat", dir+"/part-00000"); strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("the words were counted as\n%s\nwant\n%s", got, want)
	}
}

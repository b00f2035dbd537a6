package main_test

import (
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

// testSpark runs a job in local mode, as root of nothing, and one that writes to HDFS by WebHDFS: the protocol of
// Hadoop 1.2.1 is not Spark's.
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
	slave := c.boxes["slave1"]
	text, want := words(5000)
	slave.put("/tmp/spark-words.txt", []byte(text))
	slave.put("/tmp/words.py", []byte(wordsJob))
	slave.as("spark", "spark-submit", "--master", "local[2]", "/tmp/words.py", "file:///tmp/spark-words.txt", "/user/spark/words")
	checkCounts(t, c.boxes["master1"], "/user/spark/words", want)
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

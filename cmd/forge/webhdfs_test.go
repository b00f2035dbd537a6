package main_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/source/java"
)

const readProgram = `
import java.net.URI;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.*;

public class Read {
  public static void main(String[] args) throws Exception {
    Configuration conf = new Configuration();
    conf.set("fs.webhdfs.impl", "forge.hdfs.Hadoop1WebHdfs");
    FileSystem fs = FileSystem.get(new URI(args[0]), conf);
    for (int i = 1; i < args.length; i++) {
      try (FSDataInputStream in = fs.open(new Path(args[i]))) {
        byte[] all = in.readAllBytes();
        byte[] across = new byte[6];
        in.readFully(7, across);
        in.seek(9);
        System.out.println(args[i] + " reads " + new String(all) + ", " + new String(across) + ", " + (char) in.read() + (char) in.read());
      } catch (Exception e) {
        System.out.println(args[i] + " fails: " + e);
      }
    }
  }
}
`

// lyingServer stands in for a NameNode and a DataNode that answer wrongly, which the real ones can't be made to do: a
// file's name says how. It has nothing else of WebHDFS.
type lyingServer struct {
	asked []string // "OFFSET+LENGTH" of what was read of /right
}

const lyingFile = "0123456789abcdefghijklmno" // in blocks of ten bytes

func (s *lyingServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, q := strings.TrimPrefix(r.URL.Path, "/webhdfs/v1/"), r.URL.Query()
	if q.Get("op") == "GETFILESTATUS" {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"FileStatus":{"accessTime":0,"blockSize":10,"group":"g","length":%d,"modificationTime":0,"owner":"o","pathSuffix":"","permission":"644","replication":1,"type":"FILE"}}`, len(lyingFile))
		return
	}
	offset, err1 := strconv.Atoi(q.Get("offset"))
	length, err2 := strconv.Atoi(q.Get("length"))
	if q.Get("op") != "OPEN" || q.Get("user.name") == "" || err1 != nil || err2 != nil || offset+length > len(lyingFile) {
		http.Error(w, "no request of a reader: "+r.URL.String(), http.StatusBadRequest)
		return
	}
	if q.Get("data") == "" {
		s.nameNode(w, r, name)
		return
	}
	s.dataNode(w, name, offset, length)
}

func (s *lyingServer) nameNode(w http.ResponseWriter, r *http.Request, name string) {
	switch name {
	case "elsewhere":
		w.Header().Set("Location", "ftp://example.org/elsewhere")
	case "nowhere":
	case "itself":
		io.WriteString(w, lyingFile)
		return
	case "page":
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadGateway)
		io.WriteString(w, "<html>")
		return
	default:
		w.Header().Set("Location", "http://"+r.Host+r.URL.Path+"?"+r.URL.RawQuery+"&data=1")
	}
	w.WriteHeader(http.StatusTemporaryRedirect)
}

func (s *lyingServer) dataNode(w http.ResponseWriter, name string, offset, length int) {
	part := lyingFile[offset : offset+length]
	switch name {
	case "right":
		s.asked = append(s.asked, fmt.Sprintf("%d+%d", offset, length))
	case "whole": // 1.2.1 says so where no length is asked for
		part = lyingFile
	case "endless":
		w.(http.Flusher).Flush() // in chunks, without a length
	case "cut":
		w.Header().Set("Content-Length", strconv.Itoa(length))
		part = part[:length/2]
	case "gone":
		http.Error(w, "", http.StatusNotFound)
		return
	}
	io.WriteString(w, part)
}

// TestWebHDFSOfLiars reads with the class of the package forge-spark from a server that answers wrongly: each wrong
// answer is an error, and no file is shorter or longer than its length.
func TestWebHDFSOfLiars(t *testing.T) {
	jdk, err := java.Find("17", "")
	if err != nil {
		missing(t, err.Error())
	}
	f, _ := builtRole(t)
	dir := t.TempDir()
	deb := filepath.Join(f.out, "debs", "forge-spark_3.5.6-1_all.deb")
	out, err := exec.Command("sh", "-c", `dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" ./usr/lib/spark/jars`, "sh", deb, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	program := filepath.Join(dir, "Read.java")
	if err := os.WriteFile(program, []byte(readProgram), 0o644); err != nil {
		t.Fatal(err)
	}
	liar := &lyingServer{}
	server := httptest.NewServer(liar)
	defer server.Close()
	base := strings.TrimPrefix(server.URL, "http")
	names := []string{"right", "whole", "endless", "cut", "gone", "elsewhere", "nowhere", "itself", "page"}
	args := []string{"-Xmx256m", "-cp", filepath.Join(dir, "usr/lib/spark/jars/*"), program, "webhdfs" + base}
	for _, name := range names {
		args = append(args, "/"+name)
	}
	said, err := exec.Command(filepath.Join(jdk.Home, "bin/java"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	for _, want := range []string{
		"/right reads " + lyingFile + ", 789abc, 9a\n",
		"/whole fails: java.io.IOException: http" + base + "/webhdfs/v1/whole?op=OPEN", "gives 25 bytes; 10 were asked for\n",
		"/endless fails: java.io.IOException: ", "gives -1 bytes; 10 were asked for\n",
		"/cut fails: java.io.", "/gone fails: java.io.FileNotFoundException: ", ": 404 Not Found\n",
		"/elsewhere fails: java.io.IOException: 127.0.0.1 sends us to ftp://example.org/elsewhere, which is not http\n",
		"/nowhere fails: java.io.IOException: ", ": 307 Temporary Redirect\n", "/itself fails: java.io.IOException: ", ": 200 OK\n",
		"/page fails: java.io.IOException: ", ": 502 Bad Gateway, with an answer that is no JSON\n",
	} {
		if !strings.Contains(string(said), want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
	if got, want := strings.Join(liar.asked, " "), "0+10 10+10 20+5 7+6 9+1 10+10"; got != want {
		t.Errorf("the parts %s were asked for, want %s", got, want)
	}
}

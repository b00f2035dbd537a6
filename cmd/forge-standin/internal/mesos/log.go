package mesos

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// logger writes lines in glog's form, as the real daemon does.
type logger struct {
	mu    sync.Mutex
	out   []io.Writer
	level int // index in severities
	file  *os.File
}

const severities = "IWE"

// newLogger obeys --quiet, --logging_level and --log_dir. The real daemon makes a new file per
// start and a link to it; the stand-in appends to the link's name.
func newLogger(f *Flags, name string, stderr io.Writer) (*logger, error) {
	l := &logger{}
	switch level, _ := f.Get("logging_level"); level {
	case "WARNING":
		l.level = 1
	case "ERROR":
		l.level = 2
	}
	dir, ok := f.Get("log_dir")
	if ok {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("Could not initialize logging: Failed to create directory '%s': %w", dir, err) //lint:ignore ST1005 the real text
		}
		file, err := os.OpenFile(filepath.Join(dir, name+".INFO"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, fmt.Errorf("Could not create logging file: %w", err) //lint:ignore ST1005 the real text
		}
		l.file = file
		l.out = append(l.out, file)
	}
	if !f.Bool("quiet") {
		l.out = append(l.out, stderr)
	}
	return l, nil
}

func (l *logger) write(severity int, format string, args ...any) {
	if severity < l.level {
		return
	}
	line := fmt.Sprintf("%c%s %d standin] %s\n", severities[severity],
		time.Now().UTC().Format("0102 15:04:05.000000"), os.Getpid(), fmt.Sprintf(format, args...))
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.out {
		io.WriteString(w, line) // a log that can't be written must not stop the daemon
	}
}

func (l *logger) Info(format string, args ...any)    { l.write(0, format, args...) }
func (l *logger) Warning(format string, args ...any) { l.write(1, format, args...) }
func (l *logger) Error(format string, args ...any)   { l.write(2, format, args...) }

// Printf lets the ZooKeeper client log here.
func (l *logger) Printf(format string, args ...any) { l.write(0, "ZooKeeper: "+format, args...) }

func (l *logger) close() {
	if l.file != nil {
		l.file.Close()
	}
}

package rootfs

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"github.com/mesos-forge/forge/builder/event"
)

// keptLog is how much of the programs' output is kept for error messages.
const keptLog = 16 << 10

// lineLog turns what programs write into Log events, line by line.
type lineLog struct {
	sink event.Sink
	to   io.Writer

	mu   sync.Mutex
	part []byte
	kept []byte
}

// Write never fails: a log must not stop a build.
func (l *lineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.to.Write(p)
	l.kept = append(l.kept, p...)
	if over := len(l.kept) - keptLog; over > 0 {
		l.kept = append(l.kept[:0], l.kept[over:]...)
	}
	l.part = append(l.part, p...)
	for {
		line, rest, ok := bytes.Cut(l.part, []byte("\n"))
		if !ok {
			if len(l.part) > keptLog {
				l.emit(l.part)
				l.part = nil
			}
			return len(p), nil
		}
		l.emit(line)
		l.part = append(l.part[:0], rest...)
	}
}

func (l *lineLog) emit(line []byte) {
	if text := strings.TrimRight(string(line), "\r "); text != "" {
		l.sink.Emit(event.Event{Kind: event.Log, Message: text})
	}
}

// flush emits a last line that has no end.
func (l *lineLog) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.emit(l.part)
	l.part = nil
}

// tail returns the last of what was written.
func (l *lineLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.kept)
}

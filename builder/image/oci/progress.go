package oci

import (
	"io"

	"github.com/mesos-forge/forge/builder/event"
)

// progressStep is how many bytes lie between two events.
const progressStep = 1 << 20

// progress emits events about bytes, not too many of them.
type progress struct {
	sink    event.Sink
	message string
	last    int64
}

func (p *progress) report(done, total int64) {
	if done-p.last < progressStep && done != total {
		return
	}
	p.last = done
	p.sink.Emit(event.Event{Kind: event.Progress, Message: p.message, Done: done, Total: total, Unit: "bytes"})
}

// progressWriter reports what is written.
type progressWriter struct {
	w           io.Writer
	progress    progress
	done, total int64
}

func (w *progressWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	w.done += int64(n)
	w.progress.report(w.done, w.total)
	return n, err
}

package vm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const tailBytes = 16 << 10

// escapes are ANSI's control sequences (ECMA-48, section 5.4), titles of windows, and other short ones.
var escapes = regexp.MustCompile("\x1b\\[[0-9:;<=>?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(\x07|\x1b\\\\)|\x1b[ -/]*[0-~]")

// consoleTail returns the last lines of a serial log that hold anything, as plain text.
func consoleTail(path string, lines int) []string {
	var out []string
	for _, line := range strings.Split(plain(readTail(path)), "\n") {
		if line = strings.TrimRightFunc(line, unicode.IsSpace); line != "" {
			out = append(out, line)
		}
	}
	return out[max(0, len(out)-lines):]
}

// plain drops what moves the cursor and colours the text.
func plain(text []byte) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) && r != utf8.RuneError {
			return r
		}
		return -1
	}, string(escapes.ReplaceAll(text, nil)))
}

// readTail reads the end of a file; what can't be read is empty.
func readTail(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	buf := make([]byte, min(info.Size(), tailBytes))
	n, _ := f.ReadAt(buf, info.Size()-int64(len(buf)))
	return buf[:n]
}

// deadEnds are what a console shows when a boot stopped for good.
var deadEnds = []struct {
	pattern *regexp.Regexp
	what    string
}{
	{regexp.MustCompile(`Kernel panic - not syncing`), "its kernel panicked"},
	{regexp.MustCompile(`You are in emergency mode`), "it is in systemd's emergency mode"},
	{regexp.MustCompile(`\(initramfs\) *$`), "its initramfs did not find the root file system"},
	{regexp.MustCompile(`grub rescue> *$`), "GRUB did not find its files"},
	{regexp.MustCompile(`grub> *$`), "GRUB has no configuration"},
	{regexp.MustCompile(`BdsDxe: No bootable option or device was found|UEFI Interactive Shell`), "UEFI found nothing to boot on the disk"},
	{regexp.MustCompile(`No bootable device`), "the BIOS found nothing to boot on the disk"},
}

// deadEnd says at which one the console stands, or "".
func deadEnd(path string) string {
	text := strings.TrimRight(plain(readTail(path)), "\n")
	for _, d := range deadEnds {
		if d.pattern.MatchString(text) {
			return d.what
		}
	}
	return ""
}

// Detach is the key (Ctrl-]) that leaves Attach.
const Detach = 0x1d

// Attach connects in and out to the machine's first serial port until the machine ends, ctx does, in
// ends, or Detach is typed. What the console said before is in the serial log alone. A Read of in that
// is under way when Attach returns takes one more input, which is lost.
func (m *Machine) Attach(ctx context.Context, in io.Reader, out io.Writer) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", filepath.Join(m.sockets, serialSocket))
	if err != nil {
		return fmt.Errorf("vm: connect to the console of %s: %w", m.spec.Name, err)
	}
	defer conn.Close()
	ends := make(chan error, 2)
	go func() {
		_, err := io.Copy(out, conn)
		ends <- err
	}()
	go func() { ends <- typeInto(conn, in) }()
	select {
	case err := <-ends:
		if err != nil {
			return fmt.Errorf("vm: console of %s: %w", m.spec.Name, err)
		}
		return nil
	case <-m.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func typeInto(conn io.Writer, in io.Reader) error {
	buf := make([]byte, 1024)
	for {
		n, err := in.Read(buf)
		end := bytes.IndexByte(buf[:n], Detach)
		if end >= 0 {
			n = end
		}
		if _, e := conn.Write(buf[:n]); e != nil {
			return e
		}
		if end >= 0 || err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

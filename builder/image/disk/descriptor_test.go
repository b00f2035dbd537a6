package disk

import (
	"strings"
	"testing"
)

// qemu-img draws a CID and writes it without leading zeros.
func TestSettleDescriptor(t *testing.T) {
	pad := func(s string) string { return s + strings.Repeat("\x00", 64-len(s)) }
	want := pad("# Disk DescriptorFile\nCID=0000002b\nparentCID=ffffffff\n")
	for _, cid := range []string{"5eed1234", "eed1234", "1"} {
		got, err := settleDescriptor([]byte(pad("# Disk DescriptorFile\nCID="+cid+"\nparentCID=ffffffff\n")), 0x2a)
		if err != nil || string(got) != want {
			t.Errorf("CID=%s gives %q, %v; want %q", cid, got, err, want)
		}
	}
	for _, text := range []string{"no such line\n", "\nCID=\n", "\nCID=123456789\n", "\nCID=12", "\nCID=1\n" + strings.Repeat("x", 8)} {
		if got, err := settleDescriptor([]byte(text), 1); err == nil {
			t.Errorf("%q gives %q and no error", text, got)
		}
	}
}

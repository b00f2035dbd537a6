package disk

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSettleVHD(t *testing.T) {
	footer := append([]byte("conectix"), make([]byte, sector-8)...)
	path := filepath.Join(t.TempDir(), "d.vhd")
	write(t, path, string(footer)+strings.Repeat("data", sector)+string(footer))
	c := Conversion{Format: VHD, Seed: "s", Epoch: testEpoch}
	if err := c.settle(path); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first, last, id := got[:sector], got[len(got)-sector:], deriveIDs("s").Disk
	if !bytes.Equal(first, last) || !bytes.Equal(first[68:84], id[:]) {
		t.Error("the footers differ or lack the identifier")
	}
	if at := binary.BigEndian.Uint32(first[24:]); int64(at) != testEpoch.Unix()-946684800 {
		t.Errorf("the time stamp is %d", at)
	}
	var sum uint32
	for i, b := range first {
		if i < 64 || i >= 68 {
			sum += uint32(b)
		}
	}
	if binary.BigEndian.Uint32(first[64:]) != ^sum {
		t.Error("the checksum is wrong")
	}
	write(t, path, strings.Repeat("x", 4*sector))
	if err := c.settle(path); err == nil {
		t.Error("a file without footers is no error")
	}
}

func TestSettleVMDK(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.vmdk")
	text := "# Disk DescriptorFile\nversion=1\nCID=%\nparentCID=ffffffff\n"
	disk := func(cid string) string {
		d := strings.Repeat("h", sector) + strings.Replace(text, "%", cid, 1)
		return d + strings.Repeat("\x00", 30*sector-len(d))
	}
	c := Conversion{Format: VMDK, Seed: "s"}
	var results []string
	for _, cid := range []string{"12345678", "9abcdef0"} {
		write(t, path, disk(cid))
		if err := c.settle(path); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, string(got))
	}
	if results[0] != results[1] || !strings.Contains(results[0], "\nparentCID=ffffffff\n") || len(results[0]) != 30*sector {
		t.Error("two conversions of one disk differ, or more than the CID changed")
	}
	write(t, path, strings.Repeat("x", 30*sector))
	if err := c.settle(path); err == nil {
		t.Error("a file without descriptor is no error")
	}
}

func TestConvertErrors(t *testing.T) {
	for _, c := range []struct {
		c    Conversion
		want string
	}{
		{Conversion{Format: "iso", Seed: "s", Epoch: testEpoch}, "qcow2, vmdk, vhd, raw"},
		{Conversion{Format: QCOW2, Compression: "lzma", Seed: "s", Epoch: testEpoch}, "zstd or zlib"},
		{Conversion{Format: QCOW2, Epoch: testEpoch}, "seed"},
		{Conversion{Format: QCOW2, Seed: "s"}, "time stamp"},
	} {
		if err := Convert(t.Context(), c.c); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error is %v, not about %q", err, c.want)
		}
	}
}

package seed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Places in an image, in bytes: ECMA-119, sections 8.4 (primary volume
// descriptor) and 9.1 (directory record).
const (
	sectorSize     = 2048
	descriptorAt   = 16 * sectorSize
	rootRecordAt   = 156
	volumeTimesAt  = 813 // creation, modification, expiration, effective
	volumeTimeSize = 17
	recordExtent   = 2
	recordSize     = 10
	recordTimeAt   = 18
	recordTimeSize = 7
	recordFlags    = 25
	flagDirectory  = 2
	recordNameLen  = 32
	recordHeader   = 33
	maxDirectory   = 64 << 10
	maxDepth       = 8
)

type readWriterAt interface {
	io.ReaderAt
	io.WriterAt
}

// settle replaces what go-diskfs takes from the machine it runs on: the
// clock's time in the volume descriptor, the time zone and the change time
// (which no program can set) of its working files, their owner, and a
// directory's link count, which depends on the file system. The library has
// no option for any of them.
func settle(image readWriterAt, epoch time.Time) error {
	epoch = epoch.UTC()
	pvd := make([]byte, sectorSize)
	if _, err := image.ReadAt(pvd, descriptorAt); err != nil {
		return fmt.Errorf("read the volume descriptor: %w", err)
	}
	if pvd[0] != 1 || string(pvd[1:6]) != "CD001" {
		return errors.New("no primary volume descriptor in sector 16")
	}
	for i := range 4 {
		copy(pvd[volumeTimesAt+i*volumeTimeSize:][:volumeTimeSize], volumeTime(epoch))
	}
	root := pvd[rootRecordAt:]
	copy(root[recordTimeAt:][:recordTimeSize], recordTime(epoch))
	if _, err := image.WriteAt(pvd, descriptorAt); err != nil {
		return err
	}
	return settleDirectory(image, root, epoch, 0)
}

// settleDirectory settles the records of the directory that a record names,
// and those below it.
func settleDirectory(image readWriterAt, of []byte, epoch time.Time, depth int) error {
	extent := int64(binary.LittleEndian.Uint32(of[recordExtent:])) * sectorSize
	size := binary.LittleEndian.Uint32(of[recordSize:])
	if size == 0 || size > maxDirectory || depth > maxDepth {
		return fmt.Errorf("directory of %d bytes at depth %d", size, depth)
	}
	dir := make([]byte, size)
	if _, err := image.ReadAt(dir, extent); err != nil {
		return fmt.Errorf("read a directory: %w", err)
	}
	for at := 0; at < len(dir); {
		n := int(dir[at])
		if n == 0 { // the rest of a sector is empty
			at = (at/sectorSize + 1) * sectorSize
			continue
		}
		if n <= recordHeader || at+n > len(dir) {
			return fmt.Errorf("directory record of %d bytes at byte %d", n, at)
		}
		record := dir[at : at+n]
		if err := settleRecord(image, record, epoch); err != nil {
			return err
		}
		if record[recordFlags]&flagDirectory != 0 && record[recordHeader] > 1 { // 0 and 1: itself and its parent (6.8.2.2)
			if err := settleDirectory(image, record, epoch, depth+1); err != nil {
				return err
			}
		}
		at += n
	}
	_, err := image.WriteAt(dir, extent)
	return err
}

func settleRecord(image readWriterAt, record []byte, epoch time.Time) error {
	copy(record[recordTimeAt:][:recordTimeSize], recordTime(epoch))
	start := recordHeader + int(record[recordNameLen])
	start += start & 1 // names are padded to an even place
	if start > len(record) {
		return errors.New("a name leaves its directory record")
	}
	return settleSystemUse(image, record[start:], epoch)
}

// settleSystemUse walks the entries of a system use area (SUSP 1.12, section
// 4) and those of its continuation (5.1): PX holds mode, links, user and
// group, each twice in 8 bytes (RRIP 4.1.1); TF holds times (4.1.6).
func settleSystemUse(image readWriterAt, area []byte, epoch time.Time) error {
	for len(area) >= 4 && area[0] != 0 {
		n := int(area[2])
		if n < 4 || n > len(area) {
			return fmt.Errorf("system use entry %q of %d bytes", area[:2], n)
		}
		entry := area[:n]
		area = area[n:]
		switch string(entry[:2]) {
		case "PX":
			if n < 36 {
				return fmt.Errorf("PX entry of %d bytes", n)
			}
			const typeMask, directory = 0o170000, 0o040000
			if binary.LittleEndian.Uint32(entry[4:])&typeMask == directory {
				both(entry[12:], 2)
			} else {
				both(entry[12:], 1)
			}
			both(entry[20:], 0)
			both(entry[28:], 0)
		case "TF":
			if n < 5 || entry[4]&0x80 != 0 || (n-5)%recordTimeSize != 0 {
				return errors.New("TF entry is not in the short form")
			}
			for at := 5; at < n; at += recordTimeSize {
				copy(entry[at:], recordTime(epoch))
			}
		case "CE":
			if n < 28 {
				return fmt.Errorf("CE entry of %d bytes", n)
			}
			if err := settleContinuation(image, entry, epoch); err != nil {
				return err
			}
		}
	}
	return nil
}

func settleContinuation(image readWriterAt, ce []byte, epoch time.Time) error {
	at := int64(binary.LittleEndian.Uint32(ce[4:]))*sectorSize + int64(binary.LittleEndian.Uint32(ce[12:]))
	size := binary.LittleEndian.Uint32(ce[20:])
	if size > sectorSize {
		return fmt.Errorf("continuation area of %d bytes", size)
	}
	area := make([]byte, size)
	if _, err := image.ReadAt(area, at); err != nil {
		return fmt.Errorf("read a continuation area: %w", err)
	}
	for n := 0; n+3 < len(area) && area[n] != 0; n += max(int(area[n+2]), 4) {
		if string(area[n:n+2]) == "CE" {
			return errors.New("continuation of a continuation")
		}
	}
	if err := settleSystemUse(image, area, epoch); err != nil {
		return err
	}
	_, err := image.WriteAt(area, at)
	return err
}

// both writes a number in both byte orders (ECMA-119, 7.3.3).
func both(b []byte, v uint32) {
	binary.LittleEndian.PutUint32(b, v)
	binary.BigEndian.PutUint32(b[4:], v)
}

// recordTime is ECMA-119, 9.1.5: years since 1900, then UTC's offset 0.
func recordTime(t time.Time) []byte {
	return []byte{byte(t.Year() - 1900), byte(t.Month()), byte(t.Day()), byte(t.Hour()), byte(t.Minute()), byte(t.Second()), 0}
}

// volumeTime is ECMA-119, 8.4.26.1: digits to the hundredth, then UTC's offset 0.
func volumeTime(t time.Time) []byte {
	return append([]byte(t.Format("20060102150405")+"00"), 0)
}

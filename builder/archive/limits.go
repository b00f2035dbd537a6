package archive

// Limits bound what an archive may unpack to. A zero field means the default.
type Limits struct {
	Entries   int   // entries, kept or not; default 500,000
	Bytes     int64 // contents of all files together; default 16 GiB
	FileBytes int64 // contents of one file; default 4 GiB
	Depth     int   // components of a name; default 64
}

func (l Limits) withDefaults() Limits {
	if l.Entries == 0 {
		l.Entries = 500_000
	}
	if l.Bytes == 0 {
		l.Bytes = 16 << 30
	}
	if l.FileBytes == 0 {
		l.FileBytes = 4 << 30
	}
	if l.Depth == 0 {
		l.Depth = 64
	}
	return l
}

// budget counts what an archive has used of its limits.
type budget struct {
	limits  Limits
	entries int
	bytes   int64
}

func newBudget(l Limits) *budget { return &budget{limits: l.withDefaults()} }

// entry accounts for one more entry that says it holds size bytes. The size
// counts even when the entry is left out: its bytes have to be decompressed.
func (b *budget) entry(size int64) error {
	b.entries++
	if b.entries > b.limits.Entries {
		return refuse(ErrLimit, "more than %d entries", b.limits.Entries)
	}
	if size < 0 {
		return refuse(ErrMalformed, "size %d", size)
	}
	if size > b.limits.FileBytes {
		return refuse(ErrLimit, "a file of %d bytes; allowed are %d", size, b.limits.FileBytes)
	}
	if size > b.limits.Bytes-b.bytes {
		return refuse(ErrLimit, "unpacks to more than %d bytes", b.limits.Bytes)
	}
	b.bytes += size
	return nil
}

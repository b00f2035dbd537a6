package sandbox

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Architectures of linux/audit.h whose programs may run in a tree, and the numbers of the
// system calls that only ask for durability: fsync, fdatasync, sync, syncfs, msync,
// sync_file_range. 32-bit programs of the same machine have numbers of their own.
var syncCalls = []struct {
	arch  uint32
	calls []uint32
}{
	{unix.AUDIT_ARCH_X86_64, []uint32{74, 75, 162, 306, 26, 277}},
	{unix.AUDIT_ARCH_I386, []uint32{118, 148, 36, 344, 144, 314}},
	{unix.AUDIT_ARCH_AARCH64, []uint32{82, 83, 81, 267, 227, 84}},
	{unix.AUDIT_ARCH_ARM, []uint32{118, 148, 36, 373, 144, 341}},
}

// Offsets in struct seccomp_data.
const (
	seccompNr   = 0
	seccompArch = 4
)

// ignoreSync makes the calls above return 0 without doing anything, for this process and all
// that it starts. The caller has CAP_SYS_ADMIN in its user namespace, so no_new_privs (which
// would disarm setuid programs) is not needed.
func ignoreSync() error {
	filter := syncFilter()
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	const flags = unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
	r, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	if r != 0 {
		return fmt.Errorf("seccomp: thread %d could not take the filter", r)
	}
	return nil
}

// syncFilter is the filter as classic BPF: find the block of the architecture, in it look for
// the call's number.
func syncFilter() []unix.SockFilter {
	const (
		load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		jeq  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ret  = unix.BPF_RET | unix.BPF_K
	)
	allow := unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW}
	var f []unix.SockFilter
	for _, a := range syncCalls {
		n := uint8(len(a.calls))
		f = append(f,
			unix.SockFilter{Code: load, K: seccompArch},
			unix.SockFilter{Code: jeq, K: a.arch, Jf: n + 3}, // not this one: to the next block
			unix.SockFilter{Code: load, K: seccompNr})
		for i, nr := range a.calls {
			f = append(f, unix.SockFilter{Code: jeq, K: nr, Jt: n - uint8(i)}) // to "return 0"
		}
		f = append(f, allow, unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ERRNO})
	}
	return append(f, allow)
}

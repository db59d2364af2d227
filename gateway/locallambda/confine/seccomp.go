package confine

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// allowed are the system calls of a Go program that talks over TCP, on every architecture; allowedHere are those that only some have.
// Everything else fails with EPERM: sockets of other families, other programs, tracing, mounts, keys, BPF, io_uring, namespaces.
var allowed = []uint32{
	// memory, threads, time
	unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MREMAP, unix.SYS_MPROTECT, unix.SYS_MADVISE, unix.SYS_BRK, unix.SYS_MINCORE, unix.SYS_MEMBARRIER,
	unix.SYS_FUTEX, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_SET_TID_ADDRESS, unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ,
	unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_GETRES, unix.SYS_GETTIMEOFDAY, unix.SYS_GETRUSAGE,
	unix.SYS_TIMER_CREATE, unix.SYS_TIMER_SETTIME, unix.SYS_TIMER_DELETE, unix.SYS_SETITIMER, unix.SYS_GETRANDOM,
	// itself
	unix.SYS_GETPID, unix.SYS_GETPPID, unix.SYS_GETTID, unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID, unix.SYS_UNAME, unix.SYS_SYSINFO,
	unix.SYS_PRLIMIT64, unix.SYS_PRCTL, unix.SYS_EXIT, unix.SYS_EXIT_GROUP, unix.SYS_RESTART_SYSCALL,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
	// descriptors
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_PREAD64, unix.SYS_CLOSE, unix.SYS_FSTAT, unix.SYS_LSEEK, unix.SYS_FCNTL,
	unix.SYS_DUP3, unix.SYS_PIPE2, unix.SYS_EVENTFD2, unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_PPOLL,
	unix.SYS_OPENAT, unix.SYS_READLINKAT, unix.SYS_GETCWD, unix.SYS_STATX, unix.SYS_FACCESSAT, unix.SYS_GETDENTS64,
	// TCP and DNS; which sockets there may be is asked below
	unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_GETSOCKNAME, unix.SYS_GETPEERNAME, unix.SYS_SETSOCKOPT, unix.SYS_GETSOCKOPT, unix.SYS_SENDTO, unix.SYS_RECVFROM,
	unix.SYS_SENDMSG, unix.SYS_RECVMSG, unix.SYS_SENDMMSG, unix.SYS_RECVMMSG, unix.SYS_SHUTDOWN,
}

// program is the filter for a worker whose artifact is behind fd; false where the architecture is one that it is not written for.
func program(fd int) (filter []unix.SockFilter, known bool) {
	if auditArch == 0 {
		return nil, false
	}
	const (
		number, arch = 0, 4 // offsets in struct seccomp_data
		firstArg     = 16
	)
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	equal := func(v uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: v, Jt: yes, Jf: no}
	}
	give := func(v uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: v} }
	allow, deny := give(unix.SECCOMP_RET_ALLOW), give(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM))
	arg := func(n uint32) unix.SockFilter { return load(firstArg + 8*n) } // the lower half: little-endian

	filter = append(filter, load(arch), equal(auditArch, 1, 0), give(unix.SECCOMP_RET_KILL_PROCESS), load(number))
	for _, nr := range append(allowed, allowedHere...) {
		filter = append(filter, equal(nr, 0, 1), allow)
	}
	// on has the instructions that follow it decide one system call.
	on := func(nr uint32, then ...unix.SockFilter) {
		filter = append(filter, equal(nr, 0, uint8(len(then))))
		filter = append(filter, then...)
	}
	self := uint32(unix.Getpid())
	for _, nr := range []uint32{unix.SYS_KILL, unix.SYS_TGKILL} { // signals to itself: Go preempts by them
		on(nr, arg(0), equal(self, 0, 1), allow, deny)
	}
	// Threads, no processes.
	on(unix.SYS_CLONE, arg(0), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: unix.CLONE_THREAD, Jt: 0, Jf: 1}, allow, deny)
	on(unix.SYS_CLONE3, give(unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS))) // its flags are out of a filter's sight; callers fall back
	on(unix.SYS_SOCKET, arg(0), equal(unix.AF_INET, 1, 0), equal(unix.AF_INET6, 0, 5), arg(1),
		unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0xf}, equal(unix.SOCK_STREAM, 1, 0), equal(unix.SOCK_DGRAM, 0, 1), allow, deny)
	// The artifact itself, once: its descriptor is closed then.
	on(unix.SYS_EXECVEAT, arg(0), equal(uint32(fd), 0, 3), arg(4), equal(unix.AT_EMPTY_PATH, 0, 1), allow, deny)
	return append(filter, deny), true
}

// install puts the filter on this thread, for good. It needs no_new_privs.
func install(filter []unix.SockFilter) error {
	p := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&p)), 0, 0)
	runtime.KeepAlive(filter)
	return err
}

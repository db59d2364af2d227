package confine

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_X86_64

var allowedHere = []uint32{unix.SYS_EPOLL_WAIT, unix.SYS_POLL, unix.SYS_ARCH_PRCTL, unix.SYS_OPEN, unix.SYS_READLINK, unix.SYS_STAT, unix.SYS_ACCESS,
	unix.SYS_NEWFSTATAT, unix.SYS_TIME, unix.SYS_GETRLIMIT}

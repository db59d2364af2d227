package confine

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// execute makes this process the program behind fd, which is closed by it: a path might lead to another file by now.
func execute(fd int, argv, env []string) error {
	args, err := syscall.SlicePtrFromStrings(argv)
	if err != nil {
		return err
	}
	vars, err := syscall.SlicePtrFromStrings(env)
	if err != nil {
		return err
	}
	empty := [1]byte{}
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(&empty[0])), uintptr(unsafe.Pointer(&args[0])),
		uintptr(unsafe.Pointer(&vars[0])), unix.AT_EMPTY_PATH, 0)
	return fmt.Errorf("%s: %w", argv[0], errno)
}

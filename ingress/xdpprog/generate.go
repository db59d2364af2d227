package xdpprog

// Needs clang and the kernel's headers (Debian: clang, linux-libc-dev). stale.sh checks that what is committed is what
// this makes.
//
//go:generate sh bpf/generate.sh .

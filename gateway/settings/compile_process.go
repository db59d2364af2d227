package settings

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// CompileCommand is the hidden command of the granule program that compiles what CompileProcess asks it to.
const CompileCommand = "compile"

// Limits of a compilation that nobody set. The largest rule sets in use take about a gigabyte.
const (
	defaultCompileMiB  = 2048
	defaultCompileTime = 2 * time.Minute
)

// Exit codes of CompileCommand beside 0; the Go runtime's own for want of memory is 2.
const exitTimeout = 3

// CompileProcess is the Compiler that has program, a granule, compile in a process of its own, which may fail, hang or eat memory without harm to the one
// that forwards packets, and whose garbage goes with it. It ends with ctx.
func CompileProcess(program string) Compiler {
	return func(ctx context.Context, r CompileRequest) (*Compiled, error) {
		request, err := json.Marshal(&r)
		if err != nil {
			return nil, err
		}
		var out, why bytes.Buffer
		cmd := exec.CommandContext(ctx, program, CompileCommand)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(request), &out, &why
		err = cmd.Run()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit) && exit.ExitCode() == exitTimeout:
			return nil, fmt.Errorf("%s: it was not compiled within compile-timeout: name fewer or smaller files, or raise that", r.Path)
		case errors.As(err, &exit) && strings.Contains(why.String(), "out of memory") || strings.Contains(why.String(), "cannot allocate memory"):
			return nil, fmt.Errorf("%s: compiling it takes more memory than compile-memory allows: name fewer or smaller files, or raise that", r.Path)
		case err != nil:
			first, _, _ := strings.Cut(strings.TrimSpace(why.String()), "\n")
			return nil, fmt.Errorf("%s: the process that compiles it ended: %w: %s", r.Path, err, first)
		}
		var c Compiled
		if err := json.Unmarshal(out.Bytes(), &c); err != nil {
			return nil, fmt.Errorf("%s: the process that compiles it answered something else: %w", r.Path, err)
		}
		return &c, nil
	}
}

// ServeCompile is CompileCommand: it reads a CompileRequest from in and writes a Compiled to out, within the limits that the configuration sets for it.
func ServeCompile(in io.Reader, out io.Writer, lookup Lookup) error {
	late := time.AfterFunc(defaultCompileTime, func() { os.Exit(exitTimeout) })
	if err := limitMemory(defaultCompileMiB); err != nil {
		return err
	}
	var r CompileRequest
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return fmt.Errorf("this command is for granule itself: %w", err)
	}
	c := r.Compile(lookup, func(l CompileLimits) {
		if l.Timeout > 0 {
			late.Reset(l.Timeout)
		}
		if l.MemoryMiB > 0 {
			_ = limitMemory(l.MemoryMiB) // it was possible a moment ago
		}
	})
	return json.NewEncoder(out).Encode(c)
}

// limitMemory bounds what this process may write to, by the kernel (RLIMIT_DATA of getrlimit(2)), and has the collector work harder near that bound.
func limitMemory(mib int) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_DATA, &l); err != nil {
		return fmt.Errorf("getrlimit: %w", err)
	}
	l.Cur = min(uint64(mib)<<20, l.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &l); err != nil {
		return fmt.Errorf("setrlimit: %w", err)
	}
	debug.SetMemoryLimit(int64(l.Cur) / 8 * 7)
	return nil
}

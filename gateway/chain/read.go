package chain

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// MaxFile is how many bytes a file that a configuration names may have: the largest public rule sets have 30 MB.
const MaxFile = 64 << 20

// maxConfig is how many bytes granule.yaml itself may have.
const maxConfig = 1 << 20

// ReadFile reads a regular file of at most MaxFile bytes. A FIFO would be waited on for ever and a device may have no end, so both are refused, with
// fs.PathError.
func ReadFile(path string) ([]byte, error) { return readRegular(path, MaxFile) }

func readRegular(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO that nobody writes to is opened at once
	if err != nil {
		return nil, err
	}
	defer f.Close()
	refuse := func(format string, a ...any) error {
		return &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf(format, a...)}
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	case !info.Mode().IsRegular():
		return nil, refuse("found %s; expected a regular file", irregular(info.Mode()))
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, refuse("found more than %d bytes; expected at most that", limit)
	}
	return data, nil
}

func irregular(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "a file of type " + m.Type().String()
}

// ReadConfig reads the configuration file at path, which is regular and has at most maxConfig bytes.
func ReadConfig(path string) ([]byte, error) {
	text, err := readRegular(path, maxConfig)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) && p.Op == "read" {
			return nil, fmt.Errorf("the configuration %s: %w", path, p.Err)
		}
		return nil, fmt.Errorf("the configuration can't be read: %w", err)
	}
	return text, nil
}

// glob returns the names of files that match a pattern, relative to the configuration's folder as the pattern is.
func (c *Config) glob(pattern string) ([]string, error) {
	dir := filepath.Dir(c.Path)
	path := pattern
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	names, err := filepath.Glob(path)
	if err != nil || filepath.IsAbs(pattern) {
		return names, err
	}
	for i, name := range names {
		if names[i], err = filepath.Rel(dir, name); err != nil {
			return nil, err
		}
	}
	slices.Sort(names)
	return names, nil
}

package chain

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// maxFile is how large a file that a configuration names may be: the largest public rule sets have 30 MB.
const maxFile = 64 << 20

var errNoFile = errors.New("it is no regular file")

// readRegular reads a file, but no device, pipe or socket: those may have no end, or block.
func readRegular(name string) ([]byte, error) {
	if info, err := os.Stat(name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() { // before it is opened: to open a pipe waits for its other end
		return nil, &os.PathError{Op: "open", Path: name, Err: errNoFile}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "open", Path: name, Err: errNoFile}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		return nil, fmt.Errorf("open %s: it is larger than %d MiB", name, maxFile>>20)
	}
	return data, err
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

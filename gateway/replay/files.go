package replay

import (
	"errors"
	"io"
	"os"
)

// outputFiles opens the files of a command, each once: two kinds of lines may go to one.
type outputFiles struct {
	stdout io.Writer
	files  map[string]*os.File
	err    error
}

func (o *outputFiles) open(path string) io.Writer {
	switch {
	case path == "":
		return nil
	case path == "-":
		return o.stdout
	case o.files[path] != nil:
		return o.files[path]
	}
	f, err := os.Create(path)
	if err != nil {
		o.err = errors.Join(o.err, err)
		return nil
	}
	if o.files == nil {
		o.files = map[string]*os.File{}
	}
	o.files[path] = f
	return f
}

func (o *outputFiles) close() (err error) {
	for _, f := range o.files {
		err = errors.Join(err, f.Close())
	}
	return err
}

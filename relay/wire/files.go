package wire

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
)

// MaxFiles is how many bytes the files of a stage may unpack to; rule sets are a few megabytes, and an invocation's
// payload is limited to six.
const MaxFiles = 64 << 20

// PackFiles packs files by name for Invocation.Files: JSON, gzipped.
func PackFiles(files map[string][]byte) ([]byte, error) {
	if len(files) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(files) // keys are sorted, so equal files pack to equal bytes
	if err != nil {
		return nil, fmt.Errorf("packing files: %w", err)
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("packing files: %w", err)
	}
	if _, err := z.Write(text); err != nil {
		return nil, fmt.Errorf("packing files: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("packing files: %w", err)
	}
	return b.Bytes(), nil
}

// UnpackFiles returns what PackFiles was given.
func UnpackFiles(packed []byte) (map[string][]byte, error) {
	if len(packed) == 0 {
		return nil, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpacking files: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(z, MaxFiles+1))
	if err != nil {
		return nil, fmt.Errorf("unpacking files: %w", err)
	}
	if len(text) > MaxFiles {
		return nil, fmt.Errorf("unpacking files: more than %d bytes", MaxFiles)
	}
	var files map[string][]byte
	if err := json.Unmarshal(text, &files); err != nil {
		return nil, fmt.Errorf("unpacking files: %w", err)
	}
	return files, nil
}

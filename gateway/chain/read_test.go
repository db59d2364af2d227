package chain

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestReadRegular: only files that end are read.
func TestReadRegular(t *testing.T) {
	dir := t.TempDir()
	pipe, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "file")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{pipe, dir, "/dev/zero", filepath.Join(dir, "none")} {
		if data, err := ReadFile(name); err == nil {
			t.Errorf("%s was read: %d bytes", name, len(data))
		}
	}
	if data, err := ReadFile(file); err != nil || string(data) != "x" {
		t.Errorf("%q, %v", data, err)
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, MaxFile+1); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(large); err == nil {
		t.Error("a file above the limit was read")
	}
}

package chain

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A configuration is a regular file of bounded size: a FIFO would be waited on for ever, /dev/zero never ends.
func TestConfigurationIsARegularFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, make([]byte, maxConfig+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{fifo: "a FIFO", "/dev/zero": "a device", dir: "is a directory", big: "1048576 bytes"} {
		done := make(chan error, 1)
		go func() { _, err := Load(path); done <- err }()
		select {
		case err := <-done:
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; expected %q", path, err, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s is waited on", path)
		}
	}
}

// Nesting is refused before it is parsed, with its place; what nobody would call nested is not.
func TestNestingIsBounded(t *testing.T) {
	rep := strings.Repeat
	deep := "chains:\n"
	for i := range maxNesting + 5 {
		deep += rep(" ", i) + "a:\n"
	}
	for name, text := range map[string]string{"brackets": "chains: " + rep("[", 200_000), "braces": rep("{a: ", 5000), "dashes": rep("- ", 5000) + "a",
		"keys": rep("? ", 5000), "indentation": deep} {
		_, err := Parse("granule.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), "levels of nesting") {
			t.Errorf("%s: %.200v", name, err)
		}
	}
	fine := "# " + rep("a[0] ", 500) + "\nchains:\n" + rep("  # --------\n", 200) + "  - name: edge\n    stages: [[{probe: {}}]]\n"
	if _, err := Parse("granule.yaml", []byte(fine)); err != nil {
		t.Error(err)
	}
}

// Editors on other systems begin a file with a byte order mark. It is not part of the first key, and moves no column.
func TestByteOrderMark(t *testing.T) {
	c, err := Parse("granule.yaml", []byte("\xef\xbb\xbfchains: [{name: edge, stages: [[{probe: {}}]]}]\n"))
	if err != nil || len(c.Chains) != 1 || c.Chains[0].Place.Column != 17 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := Parse("granule.yaml", []byte("\xff\xfec\x00h\x00")); err == nil || !strings.Contains(err.Error(), "found UTF-16; expected UTF-8") {
		t.Errorf("UTF-16: %v", err)
	}
}

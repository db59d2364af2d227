// Package corpus is what tests read: captures, rules, and the answers that belong to them.
//
//	testdata/   a small corpus of our own making, with every clone
//	            traffic/ malformed/   made by generate_test.go; manifest.json counts their packets
//	            firewall/             rule sets with 500 packets each, judged by the Linux kernel's nftables
//	            ids/                  captures, Suricata rules and alerts; Suricata 7 gave the same
//
// A larger one of the same shape may lie beside the clone (../shared/corpus) or where GRANULE_CORPUS says; tests then read that. Only
// tests import this package.
package corpus

import (
	"os"
	"path/filepath"
	"testing"
)

// Folder returns the path of a folder or file of the larger corpus where there is one, and of our own otherwise.
func Folder(t testing.TB, name string) string {
	t.Helper()
	if path, err := larger(t, name); err == nil {
		return path
	}
	return Own(t, name)
}

// HasLarger reports whether the larger corpus has a folder or file: what is counted over it is not counted over ours.
func HasLarger(t testing.TB, name string) bool {
	t.Helper()
	_, err := larger(t, name)
	return err == nil
}

// Larger returns the path of a folder or file that only the larger corpus has. Without it the test is skipped.
func Larger(t testing.TB, name string) string {
	t.Helper()
	path, err := larger(t, name)
	if err != nil {
		t.Skipf("only the larger corpus has %s: %v; GRANULE_CORPUS names where it is", name, err)
	}
	return path
}

func larger(t testing.TB, name string) (string, error) {
	dir := os.Getenv("GRANULE_CORPUS")
	if dir == "" {
		dir = filepath.Join(root(t), "..", "shared", "corpus")
	}
	path := filepath.Join(dir, name)
	_, err := os.Stat(path)
	return path, err
}

// Own returns the path of a folder or file of our own corpus.
func Own(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(root(t), "corpus", "testdata", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("our own corpus has no %s: %v", name, err)
	}
	return path
}

// Captures are the capture files of a folder, traffic or malformed: of our own corpus ("own"), or of the larger one where there is one.
func Captures(t testing.TB, whose, folder string) []string {
	t.Helper()
	dir := Own(t, folder)
	if whose != "own" {
		dir = Folder(t, folder)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.pcap"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no captures in %s (%v)", dir, err)
	}
	return paths
}

// root is the module's folder: tests run in the folder of their package.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("not inside the module: no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}

package gatewaytest

import (
	"os"
	"path/filepath"
	"testing"
)

// Corpus returns the path of a file or folder of the corpus that lies beside a clone, or where GRANULE_CORPUS says. A test whose clone has none is skipped;
// what it shows is shown on captures of our own, too.
func Corpus(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("GRANULE_CORPUS")
	if dir == "" {
		dir = filepath.Join(Root(t), "..", "shared", "corpus")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the corpus is not here: %v", err)
	}
	return path
}

// Captures are the capture files of a folder, traffic or malformed: of our own corpus, or of the shared one.
func Captures(t testing.TB, whose, folder string) []string {
	t.Helper()
	dir := filepath.Join(Root(t), "gateway", "gatewaytest", "testdata", "corpus", folder)
	if whose == "shared" {
		dir = Corpus(t, folder)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.pcap"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no captures in %s (%v)", dir, err)
	}
	return paths
}

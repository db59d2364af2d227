package xdpprog

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Where the program can't be compared with its source, a developer is told and goes on; continuous integration, where nobody
// reads what was skipped, fails.
func TestStaleWithoutClang(t *testing.T) {
	bin := t.TempDir()
	for _, tool := range []string{"sh", "dirname", "id"} { // and neither clang nor apt-get
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Skipf("no %s here: the script is for a POSIX shell", tool)
		}
		if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	for ci, fails := range map[string]bool{"": false, "true": true} {
		cmd := exec.Command("sh", "stale.sh")
		cmd.Env = []string{"PATH=" + bin, "CI=" + ci}
		out, err := cmd.CombinedOutput()
		if (err != nil) != fails || !strings.Contains(string(out), "was NOT compared with its source: no clang") {
			t.Errorf("CI=%q: %v, it says %q", ci, err, out)
		}
	}
}

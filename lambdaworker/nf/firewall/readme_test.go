package firewall

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// The examples of the README work as pasted: every yaml block is a whole file, and the files that it names are the other blocks.
func TestReadme(t *testing.T) {
	rules, group := nftest.Blocks(t, "README.md", "nft"), nftest.Blocks(t, "README.md", "json")
	if len(rules) != 1 || len(group) != 1 {
		t.Fatalf("%d blocks of nft and %d of json; expected one each", len(rules), len(group))
	}
	if n := len(nftest.README(t, map[string]string{"edge.nft": rules[0], "group.json": group[0]})); n != len(nftest.Blocks(t, "README.md", "yaml")) {
		t.Errorf("%d configurations; expected every block of yaml to be one", n)
	}
	t.Run("nft", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("loading the example into the kernel's nftables needs root")
		}
		if _, err := exec.LookPath("nft"); err != nil {
			t.Skip("loading the example needs nft: apt-get install nftables")
		}
		file := filepath.Join(t.TempDir(), "edge.nft")
		if err := os.WriteFile(file, []byte(rules[0]), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("unshare", "-n", "nft", "-f", file).CombinedOutput(); err != nil {
			t.Errorf("nft -f: %v\n%s", err, out)
		}
	})
}

package firewall

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// The examples of the README work as pasted.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```(yaml|nft|json)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		kind, example := m[1], m[2]
		seen[kind] = example
		switch kind {
		case "nft":
			build(t, "{rules: edge.nft}", map[string]string{"edge.nft": example})
		case "json":
			build(t, "{rules: r, format: aws-stateless, policy: drop}", map[string]string{"r": example})
		case "yaml":
			if strings.HasPrefix(example, "chains:") {
				continue // the gateway's own file; its firewall is the options of the other example
			}
			var o map[string]any
			if err := yaml.Unmarshal([]byte(example), &o); err != nil {
				t.Fatal(err)
			}
			options, err := yaml.Marshal(o["firewall"])
			if err != nil {
				t.Fatal(err)
			}
			build(t, string(options), map[string]string{"edge.nft": inChain(`iifname "eth1" accept`)})
		}
	}
	if len(seen) != 3 {
		t.Fatalf("examples found: %v", seen)
	}
	t.Run("nft", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("loading the example into the kernel's nftables needs root")
		}
		if _, err := exec.LookPath("nft"); err != nil {
			t.Skip("loading the example needs nft: apt-get install nftables")
		}
		file := filepath.Join(t.TempDir(), "edge.nft")
		if err := os.WriteFile(file, []byte(seen["nft"]), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("unshare", "-n", "nft", "-f", file).CombinedOutput(); err != nil {
			t.Errorf("nft -f: %v\n%s", err, out)
		}
	})
}

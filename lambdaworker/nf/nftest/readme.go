package nftest

import (
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// README builds every configuration in the README.md of the package under test, as it would be pasted: each block of yaml that has chains.
// files are what the configurations name. It returns the stages, in order.
func README(t *testing.T, files map[string]string) []Stage {
	t.Helper()
	var stages []Stage
	for _, block := range Blocks(t, "README.md", "yaml") {
		var config struct {
			Chains []struct {
				Stages [][]yaml.MapSlice `yaml:"stages"`
			} `yaml:"chains"`
		}
		if err := yaml.Unmarshal([]byte(block), &config); err != nil {
			t.Fatalf("README.md: %v in\n%s", err, block)
		}
		for _, chain := range config.Chains {
			for _, functions := range chain.Stages {
				s := Stage{Files: files}
				for _, f := range functions {
					options, err := yaml.MarshalWithOptions(f[0].Value, yaml.Flow(true))
					if err != nil {
						t.Fatal(err)
					}
					s.NFs = append(s.NFs, f[0].Key.(string)+": "+strings.TrimSpace(string(options)))
				}
				s.Build(t)
				stages = append(stages, s)
			}
		}
	}
	if len(stages) == 0 {
		t.Error("README.md has no configuration")
	}
	return stages
}

// Blocks returns the fenced blocks of that language in a markdown file.
func Blocks(t testing.TB, path, language string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rest := string(text)
	for {
		_, after, ok := strings.Cut(rest, "\n```"+language+"\n")
		if !ok {
			return blocks
		}
		block, tail, ok := strings.Cut(after, "\n```")
		if !ok {
			t.Fatalf("%s: a block of %s does not end", path, language)
		}
		blocks, rest = append(blocks, block+"\n"), tail
	}
}

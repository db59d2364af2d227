package locallambda

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBadConfigurationIsRefusedWithItsReason(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no function", func(c *Config) { c.Functions = nil }, "no functions configured"},
		{"account", func(c *Config) { c.AccountConcurrency = -1 }, "account concurrency is -1"},
		{"twice", func(c *Config) { c.Functions = append(c.Functions, c.Functions[0]) }, `"f" is configured twice`},
		{"name", func(c *Config) { c.Functions[0].Name = "a b" }, `name "a b"`},
		{"no name", func(c *Config) { c.Functions[0].Name = "" }, "functions[0]"},
		{"missing artifact", func(c *Config) { c.Functions[0].Artifact = "/nowhere" }, "/nowhere"},
		{"folder", func(c *Config) { c.Functions[0].Artifact = "/tmp" }, "expected an executable file"},
		{"not executable", func(c *Config) { c.Functions[0].Artifact = plain }, "chmod +x"},
		{"relative", func(c *Config) { c.Functions[0].Artifact = relative(t, bootstrap) }, "absolute path"},
		{"little memory", func(c *Config) { c.Functions[0].MemoryMB = 64 }, "memory is 64 MB: expected 128 to 10240"},
		{"much memory", func(c *Config) { c.Functions[0].MemoryMB = 20000 }, "memory is 20000 MB"},
		{"timeout", func(c *Config) { c.Functions[0].Timeout = 901 * time.Second }, "timeout is 15m1s"},
		{"concurrency", func(c *Config) { c.Functions[0].ReservedConcurrency = -2 }, "reserved concurrency is -2"},
		{"times", func(c *Config) { c.Functions[0].ColdStart = -1 }, "below 0"},
		{"uid alone", func(c *Config) { c.Functions[0].UID = 65534 }, "uid is 65534 and gid 0"},
		{"reserved variable", func(c *Config) { c.Functions[0].Environment = map[string]string{"AWS_REGION": "x"} }, "AWS_REGION is set by the platform"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Config{Functions: []Function{{Name: "f", Artifact: bootstrap}}}
			c.change(&cfg)
			s, err := New(cfg)
			if err == nil {
				_ = s.Close()
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nlacks %q", err, c.want)
			}
		})
	}
	if _, err := New(Config{Functions: []Function{{Name: "f", Artifact: bootstrap}}, Listen: "nowhere:x"}); err == nil {
		t.Error("a bad listen address was accepted")
	}
}

func relative(t *testing.T, path string) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	r, err := filepath.Rel(here, path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

package settings

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	_ "github.com/granule-nf/granule/lambdaworker/nf/all"
	"github.com/spf13/pflag"
)

const acceptRules = `table inet filter {
  chain forward {
    type filter hook forward priority 0; policy accept;
    ip protocol tcp counter
  }
}
`

const oneChain = "chains:\n  - name: edge\n    stages:\n      - - firewall: {rules: edge.nft}\n"

// loadText resolves and checks a configuration as `granule run` does.
func loadText(t *testing.T, text string, env map[string]string, args ...string) (*Run, Gateway, error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "granule.yaml")
	for name, content := range map[string]string{"granule.yaml": text, "edge.nft": acceptRules} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &Run{}
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	s.Flags(fs)
	if err := fs.Parse(append([]string{"--config", path, "--inside", "a", "--outside", "b"}, args...)); err != nil {
		return s, Gateway{}, err
	}
	cfg, err := s.Load(fs, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	return s, cfg, err
}

func TestFlagOverEnvironmentOverFile(t *testing.T) {
	file := oneChain + "max-delay: 3s\nworkers: 4\n"
	env := map[string]string{"GRANULE_MAX_DELAY": "4s"}
	for _, tt := range []struct {
		env  map[string]string
		args []string
		want time.Duration
	}{
		{nil, nil, 3 * time.Second},
		{env, nil, 4 * time.Second},
		{env, []string{"--max-delay", "5s"}, 5 * time.Second},
	} {
		_, cfg, err := loadText(t, file, tt.env, tt.args...)
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Dataplane.MaxDelay != tt.want || cfg.Workers.Seats != 4 {
			t.Errorf("max-delay %v, workers %d; expected %v, 4", cfg.Dataplane.MaxDelay, cfg.Workers.Seats, tt.want)
		}
	}
}

// Bad settings are refused before anything is touched, and say where they stand and what was expected.
func TestBadSettings(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		env        map[string]string
		args       []string
		line       int
		says       string
	}{
		{"unknown key", oneChain + "max-dely: 3s\n", nil, nil, 5, "max-delay"},
		{"bad duration", oneChain + "max-delay: fast\n", nil, nil, 5, `found "fast"`},
		{"bad choice", oneChain + "on-overload: maybe\n", nil, nil, 5, "open, closed"},
		{"list for a value", oneChain + "workers: [1, 2]\n", nil, nil, 5, "found a list"},
		{"config is no key", oneChain + "config: x\n", nil, nil, 5, "unknown key"},
		{"bad environment", oneChain, map[string]string{"GRANULE_WORKERS": "many"}, nil, 0, "GRANULE_WORKERS"},
		{"contradiction", oneChain, nil, []string{"--worker-timeout", "3s"}, 0, "must be below max-delay"},
		{"replicas of less than nothing", oneChain, nil, []string{"--replica-memory", "-1"}, 0, "0 to 65536 are possible"},
		{"no redelivery", oneChain, nil, []string{"--max-redeliveries", "0"}, 0, "flag --max-redeliveries: 0; 1 to 99 are possible"},
		{"no workers", oneChain, nil, []string{"--workers", "0"}, 0, "workers: 0"},
		{"bad endpoint", oneChain, nil, []string{"--lambda", "ftp://x"}, 0, "--lambda ftp://x"},
		{"too many flows", oneChain, nil, []string{"--flows", "1"}, 0, "flows: 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := loadText(t, tt.text, tt.env, tt.args...)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v, expected it to say %q", err, tt.says)
			}
			if tt.line > 0 {
				var ps nf.Problems
				if !errors.As(err, &ps) || ps[0].Line != tt.line || !strings.HasSuffix(ps[0].File, "granule.yaml") {
					t.Errorf("got %v, expected it to stand on line %d of granule.yaml", err, tt.line)
				}
			}
		})
	}
}

func TestEverySettingHasADoc(t *testing.T) {
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	new(Run).Flags(fs)
	fs.VisitAll(func(f *pflag.Flag) {
		if len(f.Usage) < 10 || strings.ToLower(f.Name) != f.Name {
			t.Errorf("--%s: %q", f.Name, f.Usage)
		}
	})
}

// A function's failure is settled as a worker's is, until a chain says otherwise.
func TestFunctionFailureFollowsThePolicy(t *testing.T) {
	for _, tt := range []struct {
		text, arg string
		want      nf.Failure
	}{
		{oneChain, "--on-worker-failure=closed", nf.FailClosed},
		{oneChain, "--on-worker-failure=open", nf.FailOpen},
		{oneChain + "    on-function-failure: closed\n", "--on-worker-failure=open", nf.FailClosed},
		{oneChain + "    on-function-failure: open\n", "--slots=128", nf.FailOpen},
	} {
		_, cfg, err := loadText(t, tt.text, nil, tt.arg)
		if err != nil {
			t.Fatal(err)
		}
		var b nf.Bundle
		if err := json.Unmarshal(cfg.Plan.Bundles[0].Stage, &b); err != nil || b.Fails != tt.want {
			t.Errorf("%s with %q: workers are told %v, %v; want %v", tt.arg, tt.text, b.Fails, err, tt.want)
		}
	}
}

package locallambda

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// debianCLI is version 2 from Debian's package awscli. An "aws" found on the PATH may be version 1, which knows other flags.
const debianCLI = "/usr/bin/aws"

// TestAWSCommandLine: a third client, by other authors, reads every kind of answer.
func TestAWSCommandLine(t *testing.T) {
	if _, err := os.Stat(debianCLI); err != nil {
		t.Skipf("needs Debian's package awscli: %v", err)
	}
	s := startService(t, func(c *Config, _ *Function) { c.Listen = "127.0.0.1:0" })
	folder := t.TempDir()
	body := filepath.Join(folder, "body")
	for _, c := range []struct {
		name  string
		args  []string
		fails bool
		want  []string // in what it prints
		body  string   // in the file it writes
	}{
		{"RequestResponse", []string{"--function-name", "f", "--payload", `{"Text":"by command"}`}, false, []string{`"StatusCode": 200`, `"ExecutedVersion": "$LATEST"`}, `"Text":"by command"`},
		{"Tail", []string{"--function-name", "f", "--log-type", "Tail"}, false, []string{`"LogResult": "U1RBUlQg`}, `"Count":2`},
		{"Event", []string{"--function-name", "f", "--invocation-type", "Event"}, false, []string{`"StatusCode": 202`}, ""},
		{"DryRun", []string{"--function-name", "f", "--invocation-type", "DryRun"}, false, []string{`"StatusCode": 204`}, ""},
		{"error", []string{"--function-name", "f", "--payload", `{"Do":"error","Text":"no luck"}`}, false, []string{`"FunctionError": "Unhandled"`}, "no luck"},
		{"unknown", []string{"--function-name", "nobody"}, true, []string{"ResourceNotFoundException"}, ""},
		{"throttled", []string{"--function-name", "f"}, true, []string{"TooManyRequestsException"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "throttled" {
				setFault(t, s, Fault{Kind: FaultThrottle})
			}
			if err := os.WriteFile(body, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"lambda", "invoke", "--endpoint-url", "http://" + s.Address(), "--cli-binary-format", "raw-in-base64-out"}, c.args...)
			cli := exec.Command(debianCLI, append(args, body)...)
			cli.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=y", "AWS_REGION=us-east-1",
				"AWS_MAX_ATTEMPTS=1", "AWS_PAGER=", "AWS_CONFIG_FILE="+folder+"/none", "AWS_SHARED_CREDENTIALS_FILE="+folder+"/none",
				"PYTHONPATH=", "PYTHONHOME=")
			out, err := cli.CombinedOutput()
			if (err != nil) != c.fails {
				t.Fatalf("%v: %s", err, out)
			}
			for _, want := range c.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("%q is missing in %s", want, out)
				}
			}
			if got, err := os.ReadFile(body); err != nil || !strings.Contains(string(got), c.body) {
				t.Errorf("body %s (%v), expected %s", got, err, c.body)
			}
		})
	}
}

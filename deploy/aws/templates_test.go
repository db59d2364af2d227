//go:build deploy

// Package aws_test validates the CloudFormation templates with AWS's own rule engine, which npm brings, and with cfn-lint where
// the machine has it. Nothing here has been created on AWS.
package aws_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const validator = "@aws/cloudformation-validate@1.9.0-beta"

func TestTemplates(t *testing.T) {
	modules := install(t)
	if out, err := validate(modules, "."); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	// A validator that finds nothing in a template with mistakes would prove nothing.
	text, err := os.ReadFile("gateway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct{ name, right, wrong string }{
		{"misspelt property", "MemorySize:", "MemorySise:"},
		{"enumeration", "Architectures: [arm64]", "Architectures: [arm65]"},
		{"attribute", "!GetAtt WorkerRole.Arn", "!GetAtt WorkerRole.Arm"},
	} {
		dir := t.TempDir()
		if !strings.Contains(string(text), m.right) {
			t.Fatalf("the template has no %q any more", m.right)
		}
		bad := strings.Replace(string(text), m.right, m.wrong, 1)
		if err := os.WriteFile(filepath.Join(dir, "gateway.yaml"), []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := validate(modules, dir); err == nil {
			t.Errorf("%s is not found:\n%s", m.name, out)
		}
	}
}

func TestCfnLint(t *testing.T) {
	lint, err := exec.LookPath("cfn-lint")
	if err != nil {
		t.Skip("TestCfnLint needs cfn-lint, which is not on this machine")
	}
	if out, err := exec.Command(lint, "gateway.yaml", "routes.yaml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func validate(modules, dir string) (string, error) {
	out, err := exec.Command("node", "validate.mjs", modules, dir).CombinedOutput()
	return string(out), err
}

func install(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("TestTemplates needs npm and node, which are not on this machine")
	}
	dir := t.TempDir()
	cmd := exec.Command("npm", "install", "--no-audit", "--no-fund", "--prefix", dir, validator)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm install %s: %v\n%s", validator, err, out)
	}
	return dir
}

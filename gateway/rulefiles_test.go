package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/granule-nf/granule/gateway/chain"
)

const forwardAll = "table inet f {\n\tchain c {\n\t\ttype filter hook forward priority 0; policy accept;\n\t\tinclude \"%\"\n\t}\n}\n"

// compileRules compiles a configuration whose one rule file includes name, in a folder with these files.
func compileRules(t *testing.T, name string, o chain.Options, prepare func(dir string)) error {
	t.Helper()
	dir := t.TempDir()
	prepare(dir)
	for file, text := range map[string]string{
		"granule.yaml": "chains:\n  - name: edge\n    stages:\n      - - firewall: {rules: edge.nft}\n",
		"edge.nft":     strings.Replace(forwardAll, "%", name, 1),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := chain.Load(filepath.Join(dir, "granule.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = cfg.Compile(o)
	return err
}

// What is no regular file of a bearable size is refused at once, named, and nothing of a file that holds no rules is quoted.
func TestOddFilesAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name, says string
		make       func(path string) error
	}{
		{"/dev/zero", "found a device; expected a regular file", nil},
		{"pipe", "found a FIFO; expected a regular file", func(p string) error { return syscall.Mkfifo(p, 0o600) }},
		{"folder", "is a directory", func(p string) error { return os.Mkdir(p, 0o700) }},
		{"huge", "found more than 67108864 bytes", func(p string) error {
			f, err := os.Create(p)
			if err != nil {
				return err
			}
			defer f.Close()
			return f.Truncate(128 << 20)
		}},
		{"accounts", "that is no rule file", func(p string) error { return os.WriteFile(p, []byte("root:secret:0:0\n"), 0o600) }},
		{"binary", "that is no text; expected a rule file", func(p string) error {
			return os.WriteFile(p, append([]byte("\x7fELF\x02\x01\x01secret\x00"), bytes.Repeat([]byte("\x00\x01secret"), 1000)...), 0o600)
		}},
		{"deep", "nested", func(p string) error {
			return os.WriteFile(p, []byte("tcp dport "+strings.Repeat("{ ", 100_000)), 0o600)
		}},
	} {
		t.Run(strings.TrimPrefix(tt.name, "/dev/"), func(t *testing.T) {
			began := time.Now()
			err := compileRules(t, tt.name, chain.Options{}, func(dir string) {
				if tt.make != nil {
					if err := tt.make(filepath.Join(dir, tt.name)); err != nil {
						t.Fatal(err)
					}
				}
			})
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Count(err.Error(), "\n") > 2 || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v; want at most three lines, one of which says %q", err, tt.says)
			}
			if d := time.Since(began); d > 30*time.Second {
				t.Errorf("refused after %v", d)
			}
		})
	}
}

// A pattern stands for the files that match it, in the order of their names, or for none.
func TestIncludeOfAPattern(t *testing.T) {
	var read []string
	o := chain.Options{ReadFile: func(path string) ([]byte, error) {
		read = append(read, filepath.Base(path))
		return os.ReadFile(path)
	}}
	err := compileRules(t, "rules.d/*.nft", o, func(dir string) {
		if err := os.Mkdir(filepath.Join(dir, "rules.d"), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, n := range []string{"b.nft", "a.nft", "c.txt"} {
			if err := os.WriteFile(filepath.Join(dir, "rules.d", n), []byte("tcp dport 22 drop\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
	if got := strings.Join(read, " "); err != nil || got != "edge.nft a.nft b.nft" && got != "edge.nft b.nft a.nft" {
		t.Errorf("read %s, %v", got, err)
	}
	if err := compileRules(t, "nothing.d/*.nft", chain.Options{}, func(string) {}); err != nil {
		t.Errorf("a pattern that matches nothing: %v", err)
	}
}

// Compiling is given up when its context is done.
func TestCompileIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := compileRules(t, "x.nft", chain.Options{Context: ctx}, func(string) {}); err == nil || !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("%v; want %v", err, context.Canceled)
	}
}

package ids

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// loaded builds an ids function with files and returns its summary and what it warned of.
func loaded(t *testing.T, options string, files map[string]string) (Summary, []string) {
	t.Helper()
	b := nf.Bundle{Chain: "test", Flows: 64, Files: map[string][]byte{}, NFs: []nf.BundleNF{{Name: "watched", Options: options, File: "granule.yaml", Line: 1, Column: 6}}}
	for name, text := range files {
		b.Files[name] = []byte(text)
	}
	var warnings []string
	b.Warn = func(p nf.Problem) { warnings = append(warnings, p.Error()) }
	if _, err := nf.Build(b); err != nil {
		t.Fatalf("%s: %v", options, err)
	}
	return watched.Rules(), warnings
}

const goodRule = "alert tcp any any -> any any (content:\"a\"; sid:1;)\n"

func TestLoad(t *testing.T) {
	for _, c := range []struct {
		name, options string
		files         map[string]string
		rules         int
		warnings      []string // the beginning of each
	}{
		{"one file as text", "{rules: a.rules}", map[string]string{"a.rules": goodRule}, 1, nil},
		{"a pattern", `{rules: ["r/*.rules", r/a.rules]}`, map[string]string{"r/a.rules": goodRule, "r/b.rules": strings.ReplaceAll(goodRule, "sid:1", "sid:2"), "r/c.txt": goodRule}, 2, nil},
		{"a pattern of nothing", `{rules: ["x*", a]}`, map[string]string{"a": goodRule}, 1, []string{"granule.yaml:1:14: no file matches x*"}},
		{"mistyped", "{rules: a}", map[string]string{"a": goodRule + "alrt tcp any any -> any any (sid:2;)\nalert tpc any any -> any any (sid:3;)\nalert tcp any any -> any any (cotent:\"x\"; sid:4;)\n"}, 1, []string{
			`a:2:1: rule sid 2 is left out: action: "alrt" is no action`, `a:3:7: rule sid 3 is left out: protocol tpc: protocol "tpc" is not supported`,
			`a:4:31: rule sid 4 is left out: cotent: keyword "cotent" is not supported; did you mean "content"?`,
		}},
		{"all bad", "{rules: [a, b]}", map[string]string{"a": "alert tcp any any -> any any (nope; sid:2;)\nalert tcp any any -> any any (nocas; sid:3;)\n", "b": goodRule}, 1, []string{
			`a:1:31: rule sid 2 is left out: nope`, `a:2:31: rule sid 3 is left out: nocas: keyword "nocas" is not supported; did you mean "nocase"?`, "a:1:1: none of the 2 rules",
		}},
		{"drops in mode ids", "{rules: a}", map[string]string{"a": goodRule + "drop tcp any any -> any any (sid:2;)\nreject tcp any any -> any any (sid:3;)\n"}, 3, []string{"a:2:1: this rule and 1 more of the file drop"}},
		{"drops in mode ips", "{rules: a, mode: ips}", map[string]string{"a": "drop tcp any any -> any any (sid:2;)\n"}, 1, nil},
		{"binary", "{rules: a}", map[string]string{"a": "\x7fELF\x02\x01\x00\x00" + strings.Repeat("secret\n", 1000)}, 0, []string{"a:1:1: this is no text", "a:1:1: none of"}},
		{"no rules", "{rules: a}", map[string]string{"a": strings.Repeat("root:secret:0:0\n", 5000)}, 0, []string{"a:1:1: these are no Suricata rules", "a:1:1: none of"}},
	} {
		sum, warnings := loaded(t, c.options, c.files)
		n := 0
		for _, f := range sum.Files {
			n += f.Loaded
		}
		if n != c.rules {
			t.Errorf("%s: %d rules, want %d", c.name, n, c.rules)
		}
		if len(warnings) != len(c.warnings) {
			t.Errorf("%s: %d warnings, want %d: %q", c.name, len(warnings), len(c.warnings), warnings)
			continue
		}
		for i, w := range warnings {
			if !strings.HasPrefix(w, c.warnings[i]) || strings.Contains(w, "secret") {
				t.Errorf("%s: warning %q, want %q", c.name, w, c.warnings[i])
			}
		}
	}
}

// TestLoadTakesMemoryOfItsInput: files made to cost much cost less than thirty times their size.
func TestLoadTakesMemoryOfItsInput(t *testing.T) {
	const size = 2 << 20
	for name, text := range map[string]string{
		"one long line":       "alert tcp any any -> any any (content:\"" + strings.Repeat("a", size),
		"a line that goes on": strings.Repeat("alert \\\n", size/8),
		"brackets":            "alert tcp " + strings.Repeat("[", size),
		"many bad rules":      strings.Repeat("alert tcp any any -> any any (nope; sid:1;)\n", size/44),
		"one rule over again": strings.Repeat(goodRule, size/len(goodRule)),
		"no rules":            strings.Repeat("x\n", size/2),
		"alternatives":        "alert tcp any any -> any any (pcre:\"/" + strings.Repeat("(a|", size) + "/\"; sid:1;)",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		loaded(t, "{rules: a, memory: 1}", map[string]string{"a": text})
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 30*size+48<<20 {
			t.Errorf("%s: %d MB were allocated for %d", name, took>>20, size>>20)
		}
	}
}

// TestLoadIsCancelled: a later reload, or the end of the process, need not wait for a large file.
func TestLoadIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := nf.Bundle{Chain: "test", Flows: 64, Context: ctx, NFs: []nf.BundleNF{{Name: "ids", Options: "{rules: a}", File: "granule.yaml", Line: 1, Column: 6}}}
	b.Open = func(string) ([]byte, error) {
		cancel()
		return []byte(strings.Repeat(goodRule, 1000)), nil
	}
	if _, err := nf.Build(b); err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

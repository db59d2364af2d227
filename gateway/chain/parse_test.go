package chain

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// plain and sided are functions that need little, so that configurations can be tested without the real ones.
type probeNF struct{ needs nf.Needs }

func (p probeNF) Needs() nf.Needs   { return p.needs }
func (probeNF) Process(*nf.Batch)   {}
func (probeNF) Report(r *nf.Report) {}

func init() {
	for name, needs := range map[string]nf.Needs{
		"probe":         {Reads: nf.Headers},
		"probe-inside":  {Reads: nf.Headers, Writes: nf.Headers, Affinity: nf.ByInside},
		"probe-outside": {Reads: nf.Full, Injects: true, Affinity: nf.ByOutside},
		"probe-nat":     {Reads: nf.Headers, Writes: nf.Headers, Translates: true},
	} {
		nf.Register(nf.Type{Name: name, Doc: "for tests", New: func(s nf.Setup) (nf.NF, error) {
			var o struct {
				Rules string   `yaml:"rules"`
				Limit int      `yaml:"limit"`
				Files []string `yaml:"files"`
			}
			if err := s.Options.Decode(&o); err != nil {
				return nil, err
			}
			for _, f := range append(o.Files, o.Rules) {
				if f == "" {
					continue
				}
				if _, err := s.Open(f); err != nil && strings.HasPrefix(f, "ö") {
					return nil, nf.Problem{File: f, Message: "can't be read"} // a function may know no better place
				} else if err != nil {
					return nil, err
				}
			}
			if o.Limit < 0 {
				file, line, column := s.Options.Pos("limit")
				s.Warn(nf.Problem{File: file, Line: line, Column: column, Message: "the limit is below zero"})
			}
			return probeNF{needs}, nil
		}})
	}
}

const good = `# the wire of the office
max-delay: 5ms
allow-port: [eth1, eth2]
chains:
  - name: web
    match: >-
      tcp port 80
      or 443
    stages:
      - - probe: {rules: a.txt}
        - probe-inside:
            limit: 3   # a comment
            files:
              - b.txt
              - c.txt
      - - probe: {}
  - name: rest
    stages: [[probe: , {probe-outside: {limit: 2}}]]
`

func functionsOf(ch Chain) (all [][]nf.BundleNF) {
	for _, s := range ch.Stages {
		all = append(all, s.Functions)
	}
	return all
}

func TestParse(t *testing.T) {
	_, err := Parse("granule.yaml", []byte(good))
	if err == nil {
		t.Fatal("`probe: ,` in braces is no YAML, and was taken")
	}
	text := strings.Replace(good, "probe: ,", "probe: {},", 1)
	for _, ends := range []string{"\n", "\r\n"} {
		c, err := Parse("granule.yaml", []byte(strings.ReplaceAll(text, "\n", ends)))
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Chains) != 2 || c.Chains[0].Name != "web" || c.Chains[1].Filter != nil || c.Chains[0].Match != "tcp port 80 or 443" {
			t.Fatalf("chains %+v", c.Chains)
		}
		got := fmt.Sprint(functionsOf(c.Chains[0]), functionsOf(c.Chains[1]))
		want := "[[{probe {rules: a.txt} granule.yaml 10 18} {probe-inside limit: 3   # a comment\n            files:\n              - b.txt\n              - c.txt granule.yaml 12 13}] " +
			"[{probe {} granule.yaml 16 18}]] [[{probe {} granule.yaml 18 22} {probe-outside {limit: 2} granule.yaml 18 42}]]"
		if got != want {
			t.Errorf("stages\n%s\nwant\n%s", got, want)
		}
		if got, want := fmt.Sprint(c.Keys), "[{max-delay {granule.yaml 2 1} [5ms] [{granule.yaml 2 12}] false} {allow-port {granule.yaml 3 1} [eth1 eth2] [{granule.yaml 3 14} {granule.yaml 3 20}] true}]"; got != want {
			t.Errorf("keys %s\nwant %s", got, want)
		}
	}
}

// Every mistake has its place; the wording is part of what a person gets.
func TestBroken(t *testing.T) {
	const stages = "stages: [[probe: {}]]"
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "g:1:1: the file is empty; expected at least a list `chains`"},
		{"only a comment", "# nothing\n", "g:1:1: the file is empty; expected at least a list `chains`"},
		{"no chains", "unmatched: pass\n", "g:1:1: there is no key `chains`; expected a list of chains, such as `chains: [{name: edge, stages: [[{counter: {}}]]}]`"},
		{"a list", "- a\n", "g:1:1: found a list; expected a mapping with the key `chains`"},
		{"no YAML", "chains: [\n", "g:1:9: this is no YAML: sequence end token ']' not found"},
		{"two documents", "chains: [{name: a, " + stages + "}]\n---\nb: 1\n", "g:3:1: found a second document; expected one: take the line of dashes out"},
		{"chains is a word", "chains: yes please\n", "g:1:9: chains: found text; expected a list, each entry with a name and stages"},
		{"chains is nothing", "a: 1\nchains:\n", "g:2:1: chains: found nothing; expected a list, each entry with a name and stages"},
		{"chains is empty", "chains: []\n", "g:1:9: chains: the list is empty; expected at least one chain"},
		{"chain is a word", "chains:\n  - edge\n", "g:2:5: found text; expected a chain, such as {name: edge, stages: [[{counter: {}}]]}"},
		{"unknown key", "chains:\n  - name: a\n    stage: []\n", "g:3:5: unknown key \"stage\" in a chain; expected one of name, match, stages, order, on-function-failure, event-types; did you mean \"stages\"?\ng:2:5: the chain has no stages; expected `stages: ` and a list of stages, each a list of functions"},
		{"policy", "chains:\n  - name: a\n    on-function-failure: ajar\n    " + stages + "\n", "g:3:26: on-function-failure: found ajar; expected open or closed: whether packets go on or are dropped when a function fails on them"},
		{"event type", "chains:\n  - name: a\n    event-types: [alert, flows]\n    " + stages + "\n", "g:3:26: event-types: found \"flows\"; expected a list of alert, drop, anomaly, flow, stats; did you mean \"flow\"?"},
		{"event types are a word", "chains:\n  - name: a\n    event-types: flow\n    " + stages + "\n", "g:3:18: event-types: found text; expected a list of alert, drop, anomaly, flow, stats"},
		{"no name", "chains:\n  - match: ip\n    " + stages + "\n", "g:2:5: the chain has no name; expected `name: ` and a word, by which metrics and events tell chains apart"},
		{"name is a number", "chains:\n  - name: 7\n    " + stages + "\n", "g:2:11: found a number, 7; expected a name: put it in quotes"},
		{"bad name", "chains:\n  - name: a b\n    " + stages + "\n", "g:2:11: found the name \"a b\"; expected up to 63 letters, digits, dots, dashes and underscores, a letter or digit first"},
		{"two of a name", "chains:\n  - {name: a, " + stages + "}\n  - {name: a, " + stages + "}\n", "g:3:12: a chain named \"a\" is there already, on line 2; expected another name"},
		{"key twice", "chains:\n  - name: a\n    name: b\n    " + stages + "\n", "g:3:5: key \"name\" is there twice, first on line 2; expected it once: take one of them out"},
		{"chains twice", "chains: [{name: a, " + stages + "}]\nchains: []\n", "g:2:1: key \"chains\" is there twice, first on line 1; expected it once: take one of them out"},
		{"no stage", "chains: [{name: a, stages: []}]\n", "g:1:28: stages: the list is empty; expected at least one stage with one function"},
		{"empty stage", "chains: [{name: a, stages: [[]]}]\n", "g:1:29: the stage is empty; expected at least one function: probe, probe-inside, probe-nat, probe-outside"},
		{"stage without a list", "chains:\n  - name: a\n    stages:\n      - probe: {}\n", "g:4:9: found the function probe in the place of a stage; expected a list of functions: write `- - probe: {options}`"},
		{"stage is a word", "chains:\n  - name: a\n    stages:\n      - probe\n", "g:4:9: found text; expected a stage: a list of functions. A stage of one function is written `- - name: {options}`"},
		{"unknown function", "chains: [{name: a, stages: [[porbe: {}]]}]\n", "g:1:30: no function is named \"porbe\"; expected one of probe, probe-inside, probe-nat, probe-outside; did you mean \"probe\"?"},
		{"function without options", "chains: [{name: a, stages: [[probe]]}]\n", "g:1:30: found the word \"probe\"; expected a function with its options, such as `probe: {}`"},
		{"two functions in an entry", "chains: [{name: a, stages: [[{probe: {}, probe-inside: {}}]]}]\n", "g:1:42: found 2 functions in one entry; expected one: begin each with a dash of its own"},
		{"options are a list", "chains: [{name: a, stages: [[probe: [1]]]}]\n", "g:1:37: options of probe: found a list; expected a mapping, such as {key: value}, or {} for none"},
		{"options are an alias", "x: &o 1\nchains: [{name: a, stages: [[probe: *o]]}]\n", "g:1:4: key \"x\": found an anchor or alias (not supported here); expected one value, or a list of them\ng:2:37: options of probe: found an anchor or alias (not supported here); expected a mapping: write the options out"},
		{"setting is a mapping", "max-delay: {a: 1}\nchains: [{name: a, " + stages + "}]\n", "g:1:12: key \"max-delay\": found a mapping; expected one value, or a list of them"},
		{"setting is nothing", "max-delay:\nchains: [{name: a, " + stages + "}]\n", "g:1:1: key \"max-delay\": found nothing; expected one value, or a list of them"},
		{"match is a list", "chains: [{name: a, match: [ip], " + stages + "}]\n", "g:1:27: found a list; expected a tcpdump expression"},
		{"bad match", "chains:\n  - name: a\n    match: ip and prot 80\n    " + stages + "\n", "g:3:19: match: found \"prot\" with nothing that says what it is; expected a primitive, such as `host prot`"},
		{"bad match in quotes", "chains:\n  - name: a\n    match: \"ip and gateway x\"\n    " + stages + "\n", "g:3:20: match: \"gateway\" is not understood: it needs names of hosts to be looked up; write `ether host MAC and not host ADDRESS`"},
		{"bad match, folded", "chains:\n  - name: a\n    match: >-\n      ip and\n        port 99999\n    " + stages + "\n", "g:5:14: match: found the port 99999; expected 0 to 65535"},
		{"bad match over two lines", "chains:\n  - name: a\n    match: ip and\n      port 80 or é\n    " + stages + "\n", "g:4:18: match: found 'é'; expected a word, a number, an address or an operator"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("g", []byte(c.text))
			if err == nil || err.Error() != c.want {
				t.Errorf("got\n%v\nwant\n%s", err, c.want)
			}
		})
	}
}

func write(t *testing.T, files map[string]string) (config string) {
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "granule.yaml")
}

func compile(t *testing.T, path string) (*Plan, error) {
	t.Helper()
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return c.Compile(Options{Seed: 1})
}

func TestCompile(t *testing.T) {
	p, err := compile(t, write(t, map[string]string{"granule.yaml": strings.Replace(good, "probe: , {probe-outside: {limit: 2}}", "probe-outside: {limit: -1}", 1),
		"a.txt": "A", "b.txt": "B", "c.txt": "C"}))
	if err != nil {
		t.Fatal(err)
	}
	web := &p.Chains[0]
	if web.Affinity != nf.ByInside || p.Chains[1].Affinity != nf.ByOutside {
		t.Errorf("affinities %v and %v", web.Affinity, p.Chains[1].Affinity)
	}
	if got := strings.Join(web.Stages[0].FileNames(), " "); got != "a.txt b.txt c.txt" {
		t.Errorf("files %s", got)
	}
	if s := p.Chains[1].Stages[0]; Ships(s.Needs) != "whole packets" || Returns(s.Needs) != "verdicts, and frames of its own" || len(s.Warnings) != 1 {
		t.Errorf("ships %s, returns %s, warns %v", Ships(s.Needs), Returns(s.Needs), s.Warnings)
	}
	if s := web.Stages[0]; Ships(s.Needs) != "headers" || Returns(s.Needs) != "verdicts and rewritten headers" {
		t.Errorf("ships %s, returns %s", Ships(s.Needs), Returns(s.Needs))
	}
	// What was read is what a worker is handed: it builds without the files.
	if _, err := nf.Build(web.Stages[0].Bundle); err != nil {
		t.Errorf("the bundle alone: %v", err)
	}
	if web.Stages[0].Bundle.Seed == p.Chains[1].Stages[0].Bundle.Seed {
		t.Error("two chains have one seed")
	}
}

// A chain says what becomes of packets on which a function fails; one that doesn't does what the gateway's policy says.
func TestFailurePolicy(t *testing.T) {
	text := "chains:\n  - {name: a, on-function-failure: open, stages: [[probe: {}], [probe: {}]]}\n  - {name: b, on-function-failure: closed, stages: [[probe: {}]]}\n  - {name: c, stages: [[probe: {}]]}\n"
	for _, policy := range []nf.Failure{nf.FailClosed, nf.FailOpen} {
		c, err := Parse("g", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Compile(Options{Fails: policy})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []nf.Failure{nf.FailOpen, nf.FailClosed, policy} {
			for _, s := range p.Chains[i].Stages {
				if s.Bundle.Fails != want {
					t.Errorf("policy %v: chain %s, stage %d: %v, want %v", policy, p.Chains[i].Name, s.Bundle.Stage, s.Bundle.Fails, want)
				}
			}
		}
	}
}

// A chain says which events it raises; where nobody keeps them, only what counts something is raised.
func TestEventTypes(t *testing.T) {
	text := "chains:\n  - {name: a, event-types: [flow, alert], stages: [[probe: {}]]}\n  - {name: b, event-types: [], stages: [[probe: {}]]}\n  - {name: c, stages: [[probe: {}]]}\n"
	for mute, want := range map[bool][3]string{false: {"alert flow", "", "alert drop anomaly"}, true: {"alert", "", "alert anomaly"}} {
		c, err := Parse("g", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Compile(Options{NoEvents: mute})
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			var got []string
			for k := range nf.NumEventKinds {
				if p.Chains[i].Stages[0].Bundle.Events.Has(k) {
					got = append(got, k.String())
				}
			}
			if s := strings.Join(got, " "); s != want[i] {
				t.Errorf("chain %s, nobody keeps events %v: %s, want %s", p.Chains[i].Name, mute, s, want[i])
			}
		}
	}
}

func TestCompileNamesEveryProblem(t *testing.T) {
	config := write(t, map[string]string{"granule.yaml": `chains:
  - name: a
    stages:
      - - probe: {rules: gone.txt}
        - probe: {limitt: 2}
      - - probe: {limit: many}
  - name: b
    stages:
      - - probe-inside: {}
        - probe: {}
      - - probe-outside: {}
`})
	_, err := compile(t, config)
	var ps nf.Problems
	if !errors.As(err, &ps) || len(ps) != 4 {
		t.Fatalf("got %v", err)
	}
	for i, want := range []string{"4:18", "5:19", "6:26", "11:26"} {
		if at := fmt.Sprintf("%d:%d", ps[i].Line, ps[i].Column); at != want {
			t.Errorf("problem %d at %s, want %s: %s", i, at, want, ps[i].Message)
		}
	}
	if want := "probe-outside wants all packets of an outside address at one worker, but probe-inside before it wants all packets of an inside address; " +
		"expected one of the two in a chain: take one out, or give each a chain of its own"; ps[3].Message != want {
		t.Errorf("got %s", ps[3].Message)
	}
}

func TestMissingFileIsToldWhereItIsNamed(t *testing.T) {
	_, err := compile(t, write(t, map[string]string{"granule.yaml": `chains:
  - name: a
    stages:
      - - probe: {rules: ögone.txt}
        - probe:
            limit: 3
            files:
              - ögone too.txt
`}))
	if err == nil || !strings.Contains(err.Error(), "granule.yaml:4:26: ögone.txt: can't be read") || !strings.Contains(err.Error(), "granule.yaml:8:17: ögone too.txt: can't be read") {
		t.Errorf("got %v", err)
	}
}

func TestUnreachableChainIsToldOf(t *testing.T) {
	p, err := compile(t, write(t, map[string]string{"granule.yaml": "chains:\n  - {name: a, stages: [[probe: {}]]}\n  - {name: b, match: ip, stages: [[probe: {}]]}\n"}))
	if err != nil || len(p.Warnings) != 1 || p.Warnings[0].Line != 3 {
		t.Fatalf("warnings %v, error %v", p.Warnings, err)
	}
}

func TestChoose(t *testing.T) {
	p, err := compile(t, write(t, map[string]string{"granule.yaml": "chains:\n  - {name: a, match: udp, stages: [[probe: {}]]}\n  - {name: b, match: ip, stages: [[probe: {}]]}\n"}))
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, 60)
	frame[12], frame[14], frame[23] = 8, 0x45, 17
	for _, c := range []struct {
		proto byte
		ether byte
		want  int
	}{{17, 8, 0}, {6, 8, 1}, {6, 9, -1}} {
		frame[12], frame[23] = c.ether, c.proto
		if got := p.Choose(frame, 60); got != c.want {
			t.Errorf("protocol %d: chain %d, want %d", c.proto, got, c.want)
		}
		if n := testing.AllocsPerRun(100, func() { p.Choose(frame, 60) }); n != 0 {
			t.Errorf("choosing allocates %v times", n)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("chains: [{name: a, match: 'tcp port 80', stages: [[probe: {rules: x}]]}]\nunmatched: drop\n"))
	f.Add([]byte("chains:\n - name: |\n    a\n   stages: &x [[probe: *x]]\n"))
	f.Add([]byte("? a\n: b\n<<: {c: d}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<12 {
			t.Skip("longer than a configuration is")
		}
		c, err := Parse("g", text)
		if err != nil {
			var ps nf.Problems
			if !errors.As(err, &ps) {
				t.Fatalf("an error without a place: %v", err)
			}
			for _, p := range ps {
				if p.Line < 1 || p.Column < 1 || p.Message == "" {
					t.Errorf("problem without a place: %+v", p)
				}
			}
			return
		}
		if len(c.Chains) == 0 {
			t.Error("taken with no chain")
		}
		for _, ch := range c.Chains {
			for _, s := range ch.Stages {
				for _, b := range s.Functions {
					if !strings.Contains(strings.ReplaceAll(string(text), "\r\n", "\n"), b.Options) {
						t.Errorf("options %q are not in the file", b.Options)
					}
				}
			}
		}
		_, _ = c.Compile(Options{ReadFile: func(string) ([]byte, error) { return nil, os.ErrNotExist }, Flows: 8})
	})
}

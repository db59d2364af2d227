package main

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/granule-nf/granule/gateway/settings"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// script is a function that may do anything with a packet, and does nothing.
type script struct{}

func (script) Needs() nf.Needs {
	return nf.Needs{Reads: nf.Full, Writes: nf.Full, Injects: true, Flows: true}
}

func (script) Process(*nf.Batch) {}

func (script) Report(*nf.Report) {}

// odd is one that leaves one of two signatures out, as ids does.
type odd struct{ script }

func init() {
	nf.Register(nf.Type{Name: "script", Doc: "for tests", New: func(nf.Setup) (nf.NF, error) { return script{}, nil }})
	nf.Register(nf.Type{Name: "odd", Doc: "for tests", New: func(s nf.Setup) (nf.NF, error) {
		if _, err := s.Open("odd.rules"); err != nil {
			return nil, err
		}
		s.Warn(nf.Problem{File: "odd.rules", Line: 2, Column: 7, Message: "rule sid 2 is left out: lua: not supported"})
		return &odd{}, nil
	}})
}

func (*odd) Report(r *nf.Report) {
	r.Rules = append(r.Rules, nf.RuleCount{File: "odd.rules", Line: 1, ID: 1})
}

const edgeRules = `table inet filter {
	chain forward {
		type filter hook forward priority 0; policy accept;
		tcp dport 23 counter drop
	}
}
`

func runCheck(t *testing.T, files map[string]string, flags ...string) (out string, err error) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := root()
	var stdout bytes.Buffer
	cmd.SetOut(&stdout)
	cmd.SetArgs(append([]string{"check", "--config", "granule.yaml"}, flags...))
	err = cmd.Execute()
	return stdout.String(), err
}

var plausible = map[string]string{"granule.yaml": `unmatched: drop
chains:
  - name: edge
    match: ip or
      ip6
    stages:
      - - script: {}
        - firewall: {rules: edge.nft}
      - - odd: {}
  - name: rest
    stages: [[firewall: {rules: edge.nft}]]
  - name: never
    stages: [[firewall: {rules: edge.nft}]]
`, "edge.nft": edgeRules, "odd.rules": "a\nb\n"}

func TestCheckTellsThePlan(t *testing.T) {
	out, err := runCheck(t, plausible)
	if err != nil {
		t.Fatal(err)
	}
	out = regexp.MustCompile(`\d+ (bytes|KiB|MiB); its invocation carries \d+ bytes`).ReplaceAllString(out, "N; its invocation carries N")
	const want = `granule.yaml: all right, but 1 of 2 rules of odd.rules are left out
warning: granule.yaml:12:11: chain never is never taken: chain rest before it takes every flow; give that one a match, or change their order

chain edge: ip or ip6
  frames with a VLAN tag do not match (as with tcpdump); write ` + "`EXPRESSION or (vlan and (EXPRESSION))`" + ` to take them too
  inside > script, firewall | odd > outside
  outside > odd | firewall, script > inside
  one worker sees both directions of a flow
  stage 0: script, firewall
    ships whole packets; gets back verdicts and rewritten packets, and frames of its own
    memory of a worker N; its invocation carries N of 6144 KiB
    edge.nft: 124 bytes, rules with a counter: 1
  stage 1: odd
    ships whole packets; gets back verdicts and rewritten packets, and frames of its own
    memory of a worker N; its invocation carries N of 6144 KiB
    odd.rules: 4 bytes, 1 of 2 rules load (50.0 %)
    odd.rules:2:7: rule sid 2 is left out: lua: not supported

chain rest: every flow
  inside > firewall > outside
  outside > firewall > inside
  one worker sees both directions of a flow
  stage 0: firewall
    ships headers; gets back verdicts
    memory of a worker N; its invocation carries N of 6144 KiB
    edge.nft: 124 bytes, rules with a counter: 1

chain never: every flow
  inside > firewall > outside
  outside > firewall > inside
  one worker sees both directions of a flow
  stage 0: firewall
    ships headers; gets back verdicts
    memory of a worker N; its invocation carries N of 6144 KiB
    edge.nft: 124 bytes, rules with a counter: 1

flows that no chain wants: drop
memory of the gateway, with one queue on each port: 109 MiB of heap at most (GOMEMLIMIT), 80 MiB for parked packets, 64 MiB for the replica
`
	if out != want {
		t.Errorf("says\n%s\nwant\n%s", out, want)
	}
}

func TestCheckStrict(t *testing.T) {
	out, err := runCheck(t, plausible, "--strict")
	if err == nil || !strings.Contains(err.Error(), "1 of 2 rules of odd.rules are left out") || !strings.HasPrefix(out, "granule.yaml: all right, but 1 of 2") {
		t.Errorf("error %v, output %s", err, out)
	}
	whole := map[string]string{"granule.yaml": "chains: [{name: a, stages: [[firewall: {rules: edge.nft}]]}]\n", "edge.nft": edgeRules}
	if out, err = runCheck(t, whole, "--strict"); err != nil || !strings.HasPrefix(out, "granule.yaml: all right\n") {
		t.Errorf("error %v, output %s", err, out)
	}
}

func TestCheckJSON(t *testing.T) {
	out, err := runCheck(t, plausible, "--json")
	var r settings.Report
	if err != nil || json.Unmarshal([]byte(out), &r) != nil {
		t.Fatalf("error %v, output %s", err, out)
	}
	if len(r.Chains) != 3 || r.Chains[0].VLAN || r.Chains[0].Stages[0].Memory < 1<<16 || r.Chains[0].Stages[1].Files[0].LeftOut != 1 || len(r.Warnings) != 1 || r.Unmatched != "drop" {
		t.Errorf("report %+v", r)
	}
	out, err = runCheck(t, map[string]string{"granule.yaml": "nonsense: 1\nchains: [{name: a, stages: [[firewall: {rules: edge.nft}]]}]\n", "edge.nft": "table inet filter {\n  chian a { }\n}\n"}, "--json")
	if err == nil {
		t.Fatal("a broken configuration is all right")
	}
	r = settings.Report{}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Problems) != 2 || r.Problems[0].File != "granule.yaml" || r.Problems[0].Line != 1 || r.Problems[1].File != "edge.nft" || r.Problems[1].Line != 2 || r.Problems[1].Column != 3 {
		t.Errorf("problems %+v", r.Problems)
	}
}

// Everything wrong is told in one run: settings, chains and rules.
func TestCheckTellsEveryProblem(t *testing.T) {
	_, err := runCheck(t, map[string]string{
		"granule.yaml": "workers: many\nchains:\n  - name: a\n    match: tcp prot 80\n    stages: [[counter: {}]]\n  - name: b\n    stages: [[firewall: {rules: edge.nft}]]\n",
		"edge.nft":     "table inet filter {\n  chian a { }\n}\n",
	})
	if err == nil {
		t.Fatal("a broken configuration is all right")
	}
	for _, want := range []string{"granule.yaml:1:10: workers: found \"many\"", "granule.yaml:4:16: match: ", "edge.nft:2:3: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
}

func TestCheckWithoutAConfiguration(t *testing.T) {
	_, err := runCheck(t, nil)
	if want := "the configuration can't be read: open granule.yaml: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What is more than an invocation carries is refused before a worker is started with it.
func TestCheckPayloadLimit(t *testing.T) {
	noise := make([]byte, 6<<20)
	x := uint64(88172645463325252)
	for i := range noise { // nothing that packs
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		noise[i] = byte(x)
	}
	_, err := runCheck(t, map[string]string{"granule.yaml": "chains: [{name: a, stages: [[odd: {}]]}]\n", "odd.rules": string(noise)})
	if err == nil || !strings.HasPrefix(err.Error(), "granule.yaml:1:35: stage 0 of chain a hands ") {
		t.Errorf("got %v", err)
	}
}

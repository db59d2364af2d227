package nf_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// probe is a function whose options cover what options can be.
type probe struct{ set nf.Setup }

type probeOptions struct {
	Rules string                       `yaml:"rules"`
	Limit int                          `yaml:"limit"`
	Files []string                     `yaml:"files"`
	Vars  map[string]map[string]string `yaml:"vars"`
}

func (probe) Needs() nf.Needs     { return nf.Needs{Reads: nf.Headers} }
func (probe) Process(*nf.Batch)   {}
func (probe) Report(r *nf.Report) { r.Counters["asked"]++ }

var probed struct {
	options probeOptions
	set     nf.Setup
}

func init() {
	nf.Register(nf.Type{Name: "bundle-probe", Doc: "records its options", New: func(s nf.Setup) (nf.NF, error) {
		probed.options, probed.set = probeOptions{}, s
		if err := s.Options.Decode(&probed.options); err != nil {
			return nil, err
		}
		if probed.options.Rules != "" {
			if _, err := s.Open(probed.options.Rules); err != nil {
				return nil, err
			}
		}
		return probe{s}, nil
	}})
}

func bundleOf(text string, line, column int) nf.Bundle {
	return nf.Bundle{Chain: "edge", Flows: 16, Files: map[string][]byte{"edge.nft": []byte("table")},
		NFs: []nf.BundleNF{{Name: "bundle-probe", Options: text, File: "granule.yaml", Line: line, Column: column}}}
}

func TestBuildSurvivesJSON(t *testing.T) {
	text, err := json.Marshal(bundleOf("{rules: edge.nft, limit: 7}", 9, 21))
	if err != nil {
		t.Fatal(err)
	}
	var b nf.Bundle
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	p, err := nf.Build(b)
	if err != nil {
		t.Fatal(err)
	}
	if probed.options.Rules != "edge.nft" || probed.options.Limit != 7 {
		t.Errorf("options %+v", probed.options)
	}
	if p.Needs().Reads != nf.Headers {
		t.Errorf("needs %+v", p.Needs())
	}
	if got := probed.set.Flows.Cap(); got != 16+nf.MaxBatch {
		t.Errorf("flow table of %d handles, want 16 and those of a batch that is not settled", got)
	}
}

func TestReportsAreLabelled(t *testing.T) {
	b := bundleOf("{}", 3, 5)
	b.Stage = 2
	p, err := nf.Build(b)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p.Reports())
	if want := `[{"chain":"edge","stage":2,"nf":"bundle-probe","counters":{"asked":1},"rules":[]}]`; err != nil || string(text) != want {
		t.Errorf("reports %s, error %v; want %s", text, err, want)
	}
}

func TestOptionsPlaces(t *testing.T) {
	for _, c := range []struct {
		name, text   string
		line, column int
		want         string // the error, or "" where there is none
	}{
		{"none", "", 3, 5, ""},
		{"empty braces", "{}", 3, 5, ""},
		{"json", `{"rules": "edge.nft"}`, 3, 5, ""},
		{"block", "rules: edge.nft\n          limit: 3", 7, 11, ""},
		{"unknown key", "{rulez: edge.nft}", 3, 20, `granule.yaml:3:21: unknown key "rulez"; expected one of files, limit, rules, vars`},
		{"unknown key in a block", "rules: edge.nft\n          lmit: 3", 7, 11, `granule.yaml:8:11: unknown key "lmit"`},
		{"unknown key in dedented text", "rules: edge.nft\nlmit: 3", 7, 11, `granule.yaml:8:11: unknown key "lmit"`},
		{"two unknown keys", "{a: 1,\n b: 2}", 3, 5, "granule.yaml:3:6: unknown key \"a\"; expected one of files, limit, rules, vars\ngranule.yaml:4:2: unknown key \"b\""},
		{"no value", "{rules: }", 3, 5, `granule.yaml:3:6: key "rules" has no value`},
		{"wrong type", "{limit: many}", 3, 5, "granule.yaml:3:13: "},
		{"a list where one word belongs", "{rules: [a, b]}", 3, 5, "granule.yaml:3:13: "},
		{"no mapping", "[a, b]", 3, 5, "granule.yaml:3:5: options of bundle-probe are a sequence; expected a mapping"},
		{"a word", "edge.nft", 3, 5, "granule.yaml:3:5: options of bundle-probe are a string; expected a mapping"},
		{"broken", "{rules: [}", 3, 5, "granule.yaml:3:"},
		{"a file that is not there", "{rules: gone.nft}", 3, 5, "granule.yaml:3:5: bundle-probe: open gone.nft: file does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := nf.Build(bundleOf(c.text, c.line, c.column))
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Fatalf("error %q, want %q", err, c.want)
			}
			var ps nf.Problems
			if !errors.As(err, &ps) {
				t.Errorf("%T is no nf.Problems", err)
			}
		})
	}
}

func TestOptionsPosition(t *testing.T) {
	text := "rules: edge.nft\n    files: [a, b]\n    vars:\n      address: {HOME: x}\n"
	if _, err := nf.Build(bundleOf(text, 10, 5)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key          string
		line, column int
	}{
		{"rules", 10, 12}, {"files", 11, 12}, {"files[1]", 11, 16}, {"vars", 13, 7}, {"vars.address", 13, 16},
		{"vars.address.HOME", 13, 23}, {"gone", 10, 5}, {"vars.gone", 13, 7}, {"files[7]", 11, 12}, {"", 10, 5},
	} {
		if file, line, column := probed.set.Options.Pos(c.key); file != "granule.yaml" || line != c.line || column != c.column {
			t.Errorf("%q stands at %s:%d:%d, want %d:%d", c.key, file, line, column, c.line, c.column)
		}
	}
}

func TestBuildNamesEveryProblem(t *testing.T) {
	b := bundleOf("{rulez: 1}", 3, 5)
	b.NFs = append(b.NFs, nf.BundleNF{Name: "firewal", File: "granule.yaml", Line: 4, Column: 9})
	_, err := nf.Build(b)
	var ps nf.Problems
	if !errors.As(err, &ps) || len(ps) != 2 || ps[1].Line != 4 || !strings.Contains(ps[1].Message, `no function is named "firewal"; expected one of [`) {
		t.Fatalf("got %v", err)
	}
}

func TestBuildAsksOpen(t *testing.T) {
	b := bundleOf("{rules: other.nft}", 3, 5)
	var asked []string
	b.Open = func(name string) ([]byte, error) { asked = append(asked, name); return nil, nil }
	if _, err := nf.Build(b); err != nil || len(asked) != 1 || asked[0] != "other.nft" {
		t.Fatalf("asked %v, error %v", asked, err)
	}
	b.Open = nil
	if _, err := nf.Build(b); err == nil {
		t.Fatal("a file that the bundle lacks was opened")
	}
}

func FuzzOptions(f *testing.F) {
	for _, s := range []string{"", "{}", "{rules: edge.nft}", "rules: a\n    limit: 2", "[", "&a {x: *a}", "? a\n: b", "<<: {a: 1}", "a: |\n  b"} {
		f.Add(s, 5)
	}
	f.Fuzz(func(t *testing.T, text string, column int) {
		if len(text) > 1<<12 || column > 1<<10 {
			t.Skip("longer than options are")
		}
		if _, err := nf.Build(bundleOf(text, 3, column)); err != nil {
			var ps nf.Problems
			if !errors.As(err, &ps) || ps[0].File != "granule.yaml" {
				t.Errorf("error without a place: %v", err)
			}
		}
	})
}

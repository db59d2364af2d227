package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// checkReport is what check has to say, as --json prints it.
type checkReport struct {
	Config    string       `json:"config"`
	Unmatched string       `json:"unmatched,omitempty"`
	Chains    []checkChain `json:"chains,omitempty"`
	Warnings  []checkPlace `json:"warnings,omitempty"`
	Problems  []checkPlace `json:"problems,omitempty"`
}

type checkChain struct {
	Name     string       `json:"name"`
	Match    string       `json:"match"`
	VLAN     bool         `json:"vlan"` // frames with a VLAN tag can match
	Affinity string       `json:"affinity"`
	Fails    string       `json:"on_function_failure"`
	Stages   []checkStage `json:"stages"`
}

type checkStage struct {
	Functions []string     `json:"functions"`
	Ships     string       `json:"ships"`
	Returns   string       `json:"returns"`
	Memory    int64        `json:"memory_bytes"`
	Payload   int          `json:"payload_bytes"` // of the invocation that starts a worker of the stage, as far as the configuration fills it
	Files     []checkFile  `json:"files,omitempty"`
	Warnings  []checkPlace `json:"warnings"` // what of the stage's files is left out, or is odd
}

// checkFile is a file that a stage reads. Loaded and LeftOut count its signatures; a file without any has neither.
type checkFile struct {
	Name    string `json:"name"`
	Bytes   int    `json:"bytes"`
	Counted int    `json:"counted"` // rules with a counter
	Loaded  int    `json:"loaded"`
	LeftOut int    `json:"left_out"`
}

type checkPlace struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// String returns "file:line:column: message"; the message alone where the problem has no place.
func (p checkPlace) String() string {
	if p.File == "" {
		return p.Message
	}
	return nf.Problem{File: p.File, Line: p.Line, Column: p.Column, Message: p.Message}.Error()
}

func placesOf(ps nf.Problems) []checkPlace {
	places := []checkPlace{}
	for _, p := range ps {
		places = append(places, checkPlace{p.File, p.Line, p.Column, p.Message})
	}
	return places
}

// problemsIn collects the problems with a place out of a tree of errors; an error without one stands as itself.
func problemsIn(err error) []checkPlace {
	var all []checkPlace
	for _, e := range leaves(err) {
		var many nf.Problems
		var one nf.Problem
		switch {
		case errors.As(e, &many):
			all = append(all, placesOf(many)...)
		case errors.As(e, &one):
			all = append(all, placesOf(nf.Problems{one})...)
		default:
			all = append(all, checkPlace{Message: e.Error()})
		}
	}
	return all
}

func newCheckReport(config string, o *offlineSettings, p *chain.Plan) (*checkReport, error) {
	r := &checkReport{Config: config, Unmatched: o.unmatched}
	told := map[string]bool{}
	for i := range p.Chains {
		c := &p.Chains[i]
		cc := checkChain{Name: c.Name, Match: c.Match, VLAN: c.Filter == nil || c.Filter.VLAN(), Affinity: chain.AffinityWords(c.Affinity), Fails: "closed"}
		if c.Stages[0].Bundle.Fails == nf.FailOpen {
			cc.Fails = "open"
		}
		for j := range c.Stages {
			s, err := newCheckStage(&c.Stages[j])
			if err != nil {
				return nil, err
			}
			if s.Payload > chain.MaxPayload {
				return nil, tooLarge(&c.Stages[j].Bundle, s.Payload)
			}
			for _, w := range c.Stages[j].Warnings {
				told[w.Error()] = true
			}
			cc.Stages = append(cc.Stages, s)
		}
		r.Chains = append(r.Chains, cc)
	}
	for _, w := range p.Warnings {
		if !told[w.Error()] {
			r.Warnings = append(r.Warnings, placesOf(nf.Problems{w})...)
		}
	}
	return r, nil
}

func newCheckStage(s *chain.CompiledStage) (checkStage, error) {
	out := checkStage{Ships: chain.Ships(s.Needs), Returns: chain.Returns(s.Needs), Memory: s.Memory, Warnings: placesOf(s.Warnings)}
	for _, f := range s.Bundle.NFs {
		out.Functions = append(out.Functions, f.Name)
	}
	packed, err := pack(s.Bundle)
	if err != nil {
		return out, err
	}
	out.Payload = packed.payload()
	files := map[string]*checkFile{}
	for _, name := range s.FileNames() {
		files[name] = &checkFile{Name: name, Bytes: len(s.Bundle.Files[name])}
	}
	for _, report := range s.Pipeline.Reports() {
		for _, rule := range report.Rules {
			if f := files[rule.File]; f != nil {
				f.Counted++
				if rule.ID != 0 {
					f.Loaded++
				}
			}
		}
	}
	for _, w := range s.Warnings {
		if f := files[w.File]; f != nil && strings.Contains(w.Message, "is left out") {
			f.LeftOut++
		}
	}
	for _, name := range s.FileNames() {
		out.Files = append(out.Files, *files[name])
	}
	return out, nil
}

// leftOut are the files of which rules are left out, each once: stages that share a file say the same of it.
func (r *checkReport) leftOut() (files []checkFile) {
	seen := map[string]bool{}
	for _, c := range r.Chains {
		for _, s := range c.Stages {
			for _, f := range s.Files {
				if f.LeftOut > 0 && !seen[f.Name] {
					seen[f.Name] = true
					files = append(files, f)
				}
			}
		}
	}
	return files
}

// print writes the plan for a person.
func (r *checkReport) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: all right", r.Config)
	for _, f := range r.leftOut() {
		fmt.Fprintf(&b, ", but %d of %d rules of %s are left out", f.LeftOut, f.Loaded+f.LeftOut, f.Name)
	}
	b.WriteByte('\n')
	for _, p := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s:%d:%d: %s\n", p.File, p.Line, p.Column, p.Message)
	}
	for _, c := range r.Chains {
		match := c.Match
		if match == "" {
			match = "every flow"
		}
		fmt.Fprintf(&b, "\nchain %s: %s\n", c.Name, strings.Join(strings.Fields(match), " "))
		if !c.VLAN {
			fmt.Fprintf(&b, "  frames with a VLAN tag do not match (as with tcpdump); write `EXPRESSION or (vlan and (EXPRESSION))` to take them too\n")
		}
		fmt.Fprintf(&b, "  one worker sees %s\n", c.Affinity)
		if c.Fails == "open" {
			fmt.Fprintf(&b, "  packets on which a function fails pass it\n")
		}
		for i, s := range c.Stages {
			s.print(&b, i)
		}
	}
	fmt.Fprintf(&b, "\nflows that no chain wants: %s\n", r.Unmatched)
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *checkStage) print(b *strings.Builder, i int) {
	fmt.Fprintf(b, "  stage %d: %s\n", i, strings.Join(s.Functions, ", "))
	fmt.Fprintf(b, "    ships %s; gets back %s\n", s.Ships, s.Returns)
	fmt.Fprintf(b, "    memory of a worker %s; its invocation carries %s of %s\n", size(s.Memory), size(int64(s.Payload)), size(chain.MaxPayload))
	for _, f := range s.Files {
		fmt.Fprintf(b, "    %s: %s", f.Name, size(int64(f.Bytes)))
		if all := f.Loaded + f.LeftOut; all > 0 {
			fmt.Fprintf(b, ", %d of %d rules load (%.1f %%)", f.Loaded, all, 100*float64(f.Loaded)/float64(all))
		} else if f.Counted > 0 {
			fmt.Fprintf(b, ", rules with a counter: %d", f.Counted)
		}
		b.WriteByte('\n')
	}
	for _, p := range s.Warnings {
		fmt.Fprintf(b, "    %s:%d:%d: %s\n", p.File, p.Line, p.Column, p.Message)
	}
}

// size writes bytes in the unit that leaves up to four digits.
func size(n int64) string {
	switch {
	case n < 10<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 10<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

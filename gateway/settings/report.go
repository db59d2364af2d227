package settings

import (
	"strings"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Report is what `granule check` has to say, as --json prints it.
type Report struct {
	Config    string        `json:"config"`
	Unmatched string        `json:"unmatched,omitempty"`
	Chains    []ReportChain `json:"chains,omitempty"`
	Memory    *Memory       `json:"memory,omitempty"` // of the gateway, with one queue a port
	Warnings  []Problem     `json:"warnings,omitempty"`
	Problems  []Problem     `json:"problems,omitempty"`
}

// ReportChain is a chain of a Report.
type ReportChain struct {
	Name     string        `json:"name"`
	Match    string        `json:"match"`
	VLAN     bool          `json:"vlan"` // frames with a VLAN tag can match
	Affinity string        `json:"affinity"`
	Paths    []string      `json:"paths"` // of packets from inside, then of packets from outside
	Fails    string        `json:"on_function_failure"`
	Stages   []ReportStage `json:"stages"`
}

// ReportStage is a stage of a ReportChain.
type ReportStage struct {
	Functions []string     `json:"functions"`
	Ships     string       `json:"ships"`
	Returns   string       `json:"returns"`
	Memory    int64        `json:"memory_bytes"`
	Payload   int          `json:"payload_bytes"` // of the invocation that starts a worker of the stage, as far as the configuration fills it
	Files     []ReportFile `json:"files,omitempty"`
	Warnings  []Problem    `json:"warnings"` // what of the stage's files is left out, or is odd
}

// ReportFile is a file that a stage reads. Loaded and LeftOut count its signatures; a file without any has neither.
type ReportFile struct {
	Name    string `json:"name"`
	Bytes   int    `json:"bytes"`
	Counted int    `json:"counted"` // rules with a counter
	Loaded  int    `json:"loaded"`
	LeftOut int    `json:"left_out"`
}

// NewReport describes plan p of the configuration file named config. The error is nf.Problems where a stage hands more to its workers than
// an invocation carries.
func NewReport(config string, o *Offline, p *chain.Plan) (*Report, error) {
	r := &Report{Config: config, Unmatched: o.unmatched}
	told, payload := map[string]bool{}, 0
	for i := range p.Chains {
		c := &p.Chains[i]
		cc := ReportChain{Name: c.Name, Match: c.Match, VLAN: c.Filter == nil || c.Filter.VLAN(), Affinity: chain.AffinityWords(c.Affinity), Fails: "closed"}
		there, back := c.Paths()
		cc.Paths = []string{there, back}
		if c.Stages[0].Bundle.Fails == nf.FailOpen {
			cc.Fails = "open"
		}
		for j := range c.Stages {
			s, err := newReportStage(&c.Stages[j])
			if err != nil {
				return nil, err
			}
			if s.Payload > chain.MaxPayload {
				return nil, tooLarge(&c.Stages[j].Bundle, s.Payload)
			}
			payload += s.Payload
			for _, w := range c.Stages[j].Warnings {
				told[w.Error()] = true
			}
			cc.Stages = append(cc.Stages, s)
		}
		r.Chains = append(r.Chains, cc)
	}
	memory := o.memory(payload)
	r.Memory = &memory
	for _, w := range p.Warnings {
		if !told[w.Error()] {
			r.Warnings = append(r.Warnings, placesOf(nf.Problems{w})...)
		}
	}
	return r, nil
}

func newReportStage(s *chain.CompiledStage) (ReportStage, error) {
	out := ReportStage{Ships: chain.Ships(s.Needs), Returns: chain.Returns(s.Needs), Memory: s.Memory, Warnings: placesOf(s.Warnings)}
	for _, f := range s.Bundle.NFs {
		out.Functions = append(out.Functions, f.Name)
	}
	packed, err := Pack(s.Bundle)
	if err != nil {
		return out, err
	}
	out.Payload = packed.Payload()
	files := map[string]*ReportFile{}
	for _, name := range s.FileNames() {
		files[name] = &ReportFile{Name: name, Bytes: len(s.Bundle.Files[name])}
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

// LeftOut are the files of which rules are left out, each once: stages that share a file say the same of it.
func (r *Report) LeftOut() (files []ReportFile) {
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

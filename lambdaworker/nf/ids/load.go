package ids

import (
	"fmt"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// Summary says which rules of the files named in a configuration are in use.
type Summary struct {
	Files   []FileSummary
	Skipped []rule.Problem // rules that are not, each with the keyword that is the cause
}

// FileSummary counts the rules of one file.
type FileSummary struct {
	Name            string
	Loaded, Skipped int
}

// load reads the rule files. Rules that can't be used are told to Warn and left out, as Suricata does; a file of which none
// can be used is an error.
func load(s *nf.Setup, o *options) ([]*rule.Rule, Summary, error) {
	classes := rule.DefaultClasses()
	if o.Classification != "" {
		text, err := s.Open(o.Classification)
		if err != nil {
			return nil, Summary{}, missing(s, "classification", o.Classification, err)
		}
		classes = rule.Classes(string(text), func(line int, message string) {
			warn(s, nf.Problem{File: o.Classification, Line: line, Column: 1, Message: message})
		})
	}
	set := rule.NewSet(o.ruleVars(), classes)
	var sum Summary
	for _, name := range o.Rules {
		text, err := s.Open(name)
		if err != nil {
			return nil, sum, missing(s, "rules", name, err)
		}
		had := len(set.Problems)
		f := FileSummary{Name: name, Loaded: set.Add(name, string(text))}
		f.Skipped = len(set.Problems) - had
		sum.Files = append(sum.Files, f)
		for _, p := range set.Problems[had:] {
			warn(s, nf.Problem{File: p.File, Line: p.Line, Column: p.Column, Message: fmt.Sprintf("%s is left out: %s: %s", named(p.SID), p.Keyword, p.Message)})
		}
		if f.Loaded == 0 && f.Skipped > 0 {
			p := set.Problems[had]
			return nil, sum, nf.Problem{File: p.File, Line: p.Line, Column: p.Column, Message: fmt.Sprintf("none of the %d rules of this file can be used; the first: %s: %s", f.Skipped, p.Keyword, p.Message)}
		}
	}
	sum.Skipped = set.Problems
	return set.Rules, sum, nil
}

func warn(s *nf.Setup, p nf.Problem) {
	if s.Warn != nil {
		s.Warn(p)
	}
}

func missing(s *nf.Setup, key, name string, err error) error {
	file, line, column := s.Options.Pos(key)
	return nf.Problem{File: file, Line: line, Column: column, Message: fmt.Sprintf("%s can't be read: %v", name, err)}
}

// named is how a person finds the rule again.
func named(sid uint32) string {
	if sid == 0 {
		return "rule without sid"
	}
	return fmt.Sprintf("rule sid %d", sid)
}

package ids

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

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

// load reads the rule files. Rules that can't be used are told to Warn and left out, as Suricata does.
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
	files, err := ruleFiles(s, o.Rules)
	if err != nil {
		return nil, Summary{}, err
	}
	set := rule.NewSet(o.ruleVars(), classes)
	if s.Context != nil {
		set.Within(s.Context)
	}
	var sum Summary
	for _, name := range files {
		text, err := s.Open(name)
		if err != nil {
			return nil, sum, missing(s, "rules", name, err)
		}
		hadRules, had := len(set.Rules), len(set.Problems)
		f := FileSummary{Name: name, Loaded: set.Add(name, string(text))}
		if s.Context != nil && s.Context.Err() != nil {
			return nil, sum, s.Context.Err()
		}
		f.Skipped = len(set.Problems) - had
		sum.Files = append(sum.Files, f)
		for _, p := range set.Problems[had:] {
			message := fmt.Sprintf("%s is left out: %s: %s", named(p.SID), p.Keyword, p.Message)
			if p.Keyword == rule.WholeFile {
				message = p.Message
			}
			warn(s, nf.Problem{File: p.File, Line: p.Line, Column: p.Column, Message: message, Fix: p.Fix})
		}
		if f.Loaded == 0 && f.Skipped > 0 {
			warn(s, nf.Problem{File: name, Line: 1, Column: 1, Message: fmt.Sprintf("none of the %d rules of this file can be used", f.Skipped)})
		}
		if o.Mode != "ips" {
			warnOfDrops(s, set.Rules[hadRules:])
		}
	}
	sum.Skipped = set.Problems
	return set.Rules, sum, nil
}

// ruleFiles returns the files that names and patterns stand for, each once.
func ruleFiles(s *nf.Setup, names []string) (files []string, err error) {
	add := func(name string) {
		if !slices.Contains(files, name) {
			files = append(files, name)
		}
	}
	for _, name := range names {
		if !strings.ContainsAny(name, "*?[") || s.Glob == nil {
			add(name)
			continue
		}
		found, err := s.Glob(name)
		if err != nil {
			return nil, missing(s, "rules", name, err)
		}
		if len(found) == 0 {
			file, line, column := s.Options.Pos("rules")
			warn(s, nf.Problem{File: file, Line: line, Column: column, Message: fmt.Sprintf("no file matches %s", name)})
		}
		for _, f := range found {
			add(f)
		}
	}
	return files, nil
}

// warnOfDrops says of a file whose rules would drop that mode ids only watches.
func warnOfDrops(s *nf.Setup, rules []*rule.Rule) {
	n := 0
	var first *rule.Rule
	for _, r := range rules {
		if r.Action.Drops() {
			if n++; first == nil {
				first = r
			}
		}
	}
	if n == 0 {
		return
	}
	message := "this rule drops, but in mode ids it only alerts; mode: ips drops"
	if n > 1 {
		message = fmt.Sprintf("this rule and %d more of the file drop, but in mode ids they only alert; mode: ips drops", n-1)
	}
	warn(s, nf.Problem{File: first.File, Line: first.Line, Column: 1, Message: message})
}

func warn(s *nf.Setup, p nf.Problem) {
	if s.Warn != nil {
		s.Warn(p)
	}
}

func missing(s *nf.Setup, key, name string, err error) error {
	file, line, column := s.Options.Pos(key)
	var why *fs.PathError // its path is that of the machine; the name is that of the configuration
	if errors.As(err, &why) {
		err = why.Err
	}
	return nf.Problem{File: file, Line: line, Column: column, Message: fmt.Sprintf("%s can't be read: %v", name, err)}
}

// named is how a person finds the rule again.
func named(sid uint32) string {
	if sid == 0 {
		return "rule without sid"
	}
	return fmt.Sprintf("rule sid %d", sid)
}

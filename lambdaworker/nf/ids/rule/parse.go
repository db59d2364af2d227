package rule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Set is what was read from rule files.
type Set struct {
	Rules    []*Rule
	Problems []Problem // a rule that was left out, each
	vars     *Vars
	classes  map[string]Class
	addrs    map[string]*Addresses
	ports    map[string]*Ports
	seen     map[[2]uint32]*Rule
	ctx      context.Context
}

// Within has Add end early when ctx is done; what it read until then is of no use.
func (s *Set) Within(ctx context.Context) { s.ctx = ctx }

// NewSet makes an empty set. classes may be nil.
func NewSet(vars *Vars, classes map[string]Class) *Set {
	return &Set{
		ctx:  context.Background(),
		vars: vars, classes: classes,
		addrs: map[string]*Addresses{}, ports: map[string]*Ports{}, seen: map[[2]uint32]*Rule{},
	}
}

// Add reads the rules of a file. Rules that can't be used are listed in Problems; it returns how many could. What is no text, or no rules at
// all, is one problem that quotes nothing of it: it may be a file that was named by mistake, and is nobody's business. Memory grows with
// the text, by a factor below ten.
func (s *Set) Add(file string, text string) (loaded int) {
	if at := strings.IndexByte(text, 0); at >= 0 {
		s.Problems = append(s.Problems, Problem{File: file, Line: 1 + strings.Count(text[:at], "\n"), Column: 1, Keyword: WholeFile,
			Message: "this is no text: found a byte 0, expected Suricata rules"})
		return 0
	}
	had, rules, strange := len(s.Problems), 0, 0
	split(text, func(src *source) bool {
		if s.ctx.Err() != nil {
			return false
		}
		if rules++; strange == rules-1 && strange > maxStrange {
			strange++ // nothing but lines that are no rules so far: the rest is not looked at
			return true
		}
		p := &parser{file: s, name: file, src: *src, rule: &Rule{GID: 1, Priority: 3}}
		if r := p.parse(); r != nil {
			key := [2]uint32{r.GID, r.SID}
			if old := s.seen[key]; old != nil {
				p.fail(p.sidAt, "sid", fmt.Errorf("sid %d is taken by the rule in %s:%d", r.SID, old.File, old.Line))
				return true
			}
			s.seen[key] = r
			s.Rules = append(s.Rules, r)
			loaded++
		} else if p.strange {
			strange++
		}
		return true
	})
	if strange == rules && rules > 2 {
		s.Problems = append(s.Problems[:had], Problem{File: file, Line: s.Problems[had].Line, Column: 1, Keyword: WholeFile,
			Message: "these are no Suricata rules: no line begins with " + actionWords})
	}
	return loaded
}

// WholeFile is the Keyword of a problem that a file has, not a rule.
const WholeFile = "file"

// maxStrange is after how many lines that are no rules, and none that is one, a file is given up.
const maxStrange = 100

// actionWords are the actions as errors name them.
const actionWords = "alert, drop, reject, rejectdst, rejectboth or pass"

// parser reads one rule.
type parser struct {
	file  *Set
	name  string
	src   source
	rule  *Rule
	vars  []string // of byte_extract and byte_math, by index
	sidAt int

	list        Buffer // the sticky buffer, Payload at first
	isSticky    bool
	transforms  []Transform
	section     *Section // the sticky section that items are added to; nil after a change of buffer
	last        *Item    // the last content, which modifiers change
	lastIn      *Section
	lastContent *Item    // the last content, whatever stands behind it
	decoded     *Section // of the last base64_decode
	hasPri      bool
	strange     bool // it does not begin as a rule does
}

// unknown is an error about a word that is none of those that are known.
type unknown struct {
	error
	word  string
	known func() []string
}

func unknownWord[V any](word string, known map[string]V, format string, a ...any) error {
	return unknown{fmt.Errorf(format, a...), word, func() []string { return slices.Sorted(maps.Keys(known)) }}
}

// maxFixes is for how many problems of a set the word is looked for that was meant.
const maxFixes = 100

// maxMessage bounds what a problem quotes.
const maxMessage = 400

// fail lists a problem and returns false.
func (p *parser) fail(at int, keyword string, err error) bool {
	line, column := p.src.position(at)
	message, fix := err.Error(), ""
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "..."
	}
	if len(keyword) > maxMessage/8 {
		keyword = strings.ToValidUTF8(keyword[:maxMessage/8], "") + "..."
	}
	var u unknown
	if errors.As(err, &u) && len(p.file.Problems) < maxFixes {
		fix = nf.Nearest(u.word, u.known())
	}
	p.file.Problems = append(p.file.Problems, Problem{File: p.name, Line: line, Column: column, SID: p.rule.SID, Keyword: strings.Clone(keyword), Message: message, Fix: fix})
	return false
}

func (p *parser) parse() *Rule {
	r := p.rule
	r.File, r.Text = p.name, p.src.text
	r.Line, _ = p.src.position(0)
	if p.src.long {
		return p.long()
	}
	open, ok := p.header()
	if !ok {
		return nil
	}
	p.peekSID(open)
	if !p.options(open) || !p.finish(open) {
		return nil
	}
	return r
}

func (p *parser) long() *Rule {
	p.fail(0, "rule", fmt.Errorf("the rule is longer than %d bytes", maxRule))
	return nil
}

// peekSID finds the sid early, so that problems can name it.
func (p *parser) peekSID(open int) {
	rest := p.src.text[open:]
	for i := strings.Index(rest, "sid:"); i >= 0; {
		if i == 0 || strings.IndexByte(" ;(\t", rest[i-1]) >= 0 {
			p.sidAt = open + i
			_, _ = fmt.Sscanf(strings.TrimSpace(rest[i+4:]), "%d", &p.rule.SID)
			return
		}
		j := strings.Index(rest[i+4:], "sid:")
		if j < 0 {
			return
		}
		i += 4 + j
	}
}

// options cuts the text behind the opening bracket at semicolons that no backslash escapes.
func (p *parser) options(open int) bool {
	text := p.src.text
	end := len(strings.TrimRight(text, " \t"))
	if end <= open+1 || text[end-1] != ')' {
		return p.fail(max(end-1, 0), "options", fmt.Errorf("the closing bracket is missing at the end of the rule"))
	}
	end--
	for at := open + 1; ; {
		for at < end && (text[at] == ' ' || text[at] == '\t' || text[at] == ';') {
			at++
		}
		if at >= end {
			return true
		}
		start := at
		for at < end && (text[at] != ';' || text[at-1] == '\\') {
			at++
		}
		if at == end {
			return p.fail(start, strings.TrimSpace(text[start:end]), fmt.Errorf("a semicolon is missing behind this option"))
		}
		name, arg, hasArg := strings.Cut(text[start:at], ":")
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "" {
			return p.fail(start, "options", fmt.Errorf("a keyword is missing before the colon"))
		}
		k, ok := keywords[name]
		if !ok {
			return p.fail(start, name, unknownWord(name, keywords, "keyword %q is not supported", name))
		}
		if k.arg == argNone && hasArg && strings.TrimSpace(arg) != "" {
			return p.fail(start, name, fmt.Errorf("%s takes no value", name))
		}
		if k.arg == argNeeded && strings.TrimSpace(arg) == "" {
			return p.fail(start, name, fmt.Errorf("%s needs a value", name))
		}
		if err := k.set(p, arg, start); err != nil {
			return p.fail(start, name, fmt.Errorf("%s: %w", name, err))
		}
	}
}

// add puts an item into the section of the sticky buffer.
func (p *parser) add(it *Item, at int) {
	if p.section == nil {
		p.section = p.sectionFor(p.list, at, p.list.Multi() && p.isSticky)
	}
	p.section.Items = append(p.section.Items, it)
}

// sectionFor returns the rule's section of buffer b with the transforms pending: a new one if fresh or if there is none.
func (p *parser) sectionFor(b Buffer, at int, fresh bool) *Section {
	if !fresh {
		for _, s := range p.rule.Sections {
			if s.Buffer == b && len(s.Transforms) == 0 && len(p.transforms) == 0 {
				return s
			}
		}
	}
	_, column := p.src.position(at)
	s := &Section{Buffer: b, Column: column, Transforms: p.transforms}
	p.transforms = nil
	p.rule.Sections = append(p.rule.Sections, s)
	return s
}

// use makes b the buffer that the following items look into.
func (p *parser) use(b Buffer) error {
	if len(p.transforms) > 0 && p.section == nil {
		return fmt.Errorf("a transform before it applies to nothing")
	}
	if err := p.needApp(b); err != nil {
		return err
	}
	p.list, p.isSticky, p.section, p.transforms, p.last, p.lastIn = b, b != Payload, nil, nil, nil, nil
	return nil
}

func (p *parser) needApp(b Buffer) error {
	app := b.App()
	if app == AnyApp {
		return nil
	}
	if p.rule.App != AnyApp && p.rule.App != app {
		return fmt.Errorf("%s belongs to another protocol than the rule", b)
	}
	p.rule.App = app
	return nil
}

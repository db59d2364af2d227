package rule

import (
	"fmt"
	"strings"
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
}

// NewSet makes an empty set. classes may be nil.
func NewSet(vars *Vars, classes map[string]Class) *Set {
	return &Set{
		vars: vars, classes: classes,
		addrs: map[string]*Addresses{}, ports: map[string]*Ports{}, seen: map[[2]uint32]*Rule{},
	}
}

// Add reads the rules of a file. Rules that can't be used are listed in Problems; it returns how many could.
func (s *Set) Add(file string, text string) (loaded int) {
	for _, src := range split(text) {
		p := &parser{file: s, name: file, src: src, rule: &Rule{GID: 1, Priority: 3}}
		if r := p.parse(); r != nil {
			key := [2]uint32{r.GID, r.SID}
			if old := s.seen[key]; old != nil {
				p.fail(p.sidAt, "sid", fmt.Errorf("sid %d is taken by the rule in %s:%d", r.SID, old.File, old.Line))
				continue
			}
			s.seen[key] = r
			s.Rules = append(s.Rules, r)
			loaded++
		}
	}
	return loaded
}

// parser reads one rule.
type parser struct {
	file  *Set
	name  string
	src   source
	rule  *Rule
	vars  []string // of byte_extract and byte_math, by index
	sidAt int

	list       Buffer // the sticky buffer, Payload at first
	isSticky   bool
	transforms []Transform
	section    *Section // the sticky section that items are added to; nil after a change of buffer
	last       *Item    // the last content, which modifiers change
	lastIn     *Section
	decoded    *Section // of the last base64_decode
	hasPri     bool
}

// fail lists a problem and returns false.
func (p *parser) fail(at int, keyword string, err error) bool {
	line, column := p.src.position(at)
	p.file.Problems = append(p.file.Problems, Problem{
		File: p.name, Line: line, Column: column, SID: p.rule.SID, Keyword: keyword, Message: err.Error(), Rule: p.src.text,
	})
	return false
}

func (p *parser) parse() *Rule {
	r := p.rule
	r.File, r.Text = p.name, p.src.text
	r.Line, _ = p.src.position(0)
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
			return p.fail(start, name, fmt.Errorf("keyword %q is not supported", name))
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

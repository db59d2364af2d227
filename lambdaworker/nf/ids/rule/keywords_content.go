package rule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// look are the keywords that look into buffers.
var look = map[string]keyword{
	"content":    {argNeeded, func(p *parser, arg string, at int) error { return p.content(arg, at, false) }},
	"uricontent": {argNeeded, func(p *parser, arg string, at int) error { return p.content(arg, at, true) }},
	"pcre":       {argNeeded, (*parser).pcre},
	"isdataat":   {argNeeded, (*parser).isDataAt},
	"bsize": {argNeeded, func(p *parser, arg string, at int) error {
		r, err := number(arg, 1<<32-1, nil)
		if err == nil && !p.isSticky {
			err = errors.New("it stands behind a buffer")
		}
		p.add(&Item{Kind: Size, Range: r}, at)
		return err
	}},
	"absent": {argMaybe, func(p *parser, arg string, at int) error {
		if !p.isSticky {
			return errors.New("it stands behind a buffer")
		}
		switch strings.TrimSpace(arg) {
		case "":
			p.add(&Item{Kind: Absent}, at)
		case "or_else":
			p.add(&Item{Kind: Absent, OrAbsent: true}, at)
		default:
			return fmt.Errorf("%q is not known; or_else is", arg)
		}
		return nil
	}},
	"urilen":        {argNeeded, (*parser).uriLen},
	"base64_decode": {argMaybe, (*parser).base64Decode},
	"base64_data":   {argNone, (*parser).base64Data},
	"pkt_data": {argNone, func(p *parser, _ string, _ int) error {
		p.list, p.isSticky, p.section, p.transforms, p.last, p.lastIn = Payload, false, nil, nil, nil, nil
		return nil
	}},
}

func (p *parser) content(arg string, at int, uri bool) error {
	text, _, negated, err := quoted(arg)
	if err != nil {
		return err
	}
	pat, err := pattern(text)
	if err != nil {
		return err
	}
	it := &Item{Kind: Content, Negated: negated, Content: ContentMatch{Pattern: pat}}
	if uri {
		if err := p.needApp(HTTPURI); err != nil {
			return err
		}
		s := p.sectionFor(HTTPURI, at, false)
		s.Items = append(s.Items, it)
		p.last, p.lastIn = it, s
		return nil
	}
	p.add(it, at)
	p.last, p.lastIn, p.lastContent = it, p.section, it
	return nil
}

// move takes the last content from the payload to buffer b: http_uri and its like.
func (p *parser) move(b Buffer, at int) error {
	if p.last == nil || p.last.Kind != Content {
		return errors.New("there is no content before it")
	}
	if p.isSticky {
		return fmt.Errorf("the content before it already belongs to %s", p.list)
	}
	if err := p.needApp(b); err != nil {
		return err
	}
	from := p.lastIn
	if from.Buffer == b {
		return nil
	}
	from.Items = from.Items[:len(from.Items)-1]
	to := p.sectionFor(b, at, false)
	to.Items = append(to.Items, p.last)
	p.lastIn = to
	return nil
}

func (p *parser) pcre(arg string, at int) error {
	it, b, has, err := regex(arg)
	if err != nil {
		return err
	}
	if !has {
		p.add(it, at)
		p.last, p.lastIn = nil, p.section
		return nil
	}
	if p.isSticky && (p.list == b || p.list == FileData && b == HTTPResponseBody) && p.section != p.decoded {
		p.add(it, at)
		p.last, p.lastIn = nil, p.section
		return nil
	}
	if p.isSticky {
		return fmt.Errorf("a flag names buffer %s while %s is selected", b, p.list)
	}
	if err := p.needApp(b); err != nil {
		return err
	}
	s := p.sectionFor(b, at, false)
	s.Items = append(s.Items, it)
	p.last, p.lastIn = nil, s
	return nil
}

func (p *parser) isDataAt(arg string, at int) error {
	it := &Item{Kind: IsDataAt}
	s := strings.TrimSpace(arg)
	if strings.HasPrefix(s, "!") {
		it.Negated = true
		s = s[1:]
	}
	words := commas(s)
	v, err := p.value(words[0], 0, 65535)
	if err != nil {
		return err
	}
	it.Byte.Offset = v
	for _, w := range words[1:] {
		switch w {
		case "relative":
			it.Relative = true
		case "rawbytes":
		default:
			return fmt.Errorf("%q is not known; relative and rawbytes are", w)
		}
	}
	p.addBehind(it, at)
	return nil
}

// addBehind adds an item that may count from the match before it: behind a content that a modifier moved, it belongs to the
// buffer that the content was moved to.
func (p *parser) addBehind(it *Item, at int) {
	if it.Relative && !p.isSticky && p.lastIn != nil {
		p.lastIn.Items = append(p.lastIn.Items, it)
		return
	}
	p.add(it, at)
}

func (p *parser) uriLen(arg string, at int) error {
	words := commas(arg)
	b := HTTPURI
	if len(words) == 2 {
		switch words[1] {
		case "norm":
		case "raw":
			b = HTTPURIRaw
		default:
			return fmt.Errorf("%q is not known; norm and raw are", words[1])
		}
	}
	r, err := number(words[0], 65535, nil)
	if err != nil {
		return err
	}
	if err := p.needApp(b); err != nil {
		return err
	}
	s := p.sectionFor(b, at, false)
	s.Items = append(s.Items, &Item{Kind: Size, Range: r})
	return nil
}

// modify are the keywords that change the content before them.
var modify = map[string]keyword{
	"nocase": {argNone, func(p *parser, _ string, _ int) error {
		return p.change(func(c *ContentMatch) error { c.NoCase = true; return nil })
	}},
	"rawbytes": {argNone, func(p *parser, _ string, _ int) error { return p.change(func(*ContentMatch) error { return nil }) }},
	"offset": {argNeeded, func(p *parser, arg string, _ int) error {
		return p.change(func(c *ContentMatch) (err error) { c.HasOffset = true; c.Offset, err = p.value(arg, 0, 65535); return })
	}},
	"depth": {argNeeded, func(p *parser, arg string, _ int) error {
		return p.change(func(c *ContentMatch) (err error) { c.HasDepth = true; c.Depth, err = p.value(arg, 0, 65535); return })
	}},
	"distance": {argNeeded, func(p *parser, arg string, _ int) error {
		return p.change(func(c *ContentMatch) (err error) {
			c.HasDistance = true
			c.Distance, err = p.value(arg, -1048576, 1048576)
			return
		})
	}},
	"within": {argNeeded, func(p *parser, arg string, _ int) error {
		return p.change(func(c *ContentMatch) (err error) {
			c.HasWithin = true
			c.Within, err = p.value(arg, -1048576, 1048576)
			return
		})
	}},
	"startswith": {argNone, func(p *parser, _ string, _ int) error {
		return p.change(func(c *ContentMatch) error { c.StartsWith = true; return nil })
	}},
	"endswith": {argNone, func(p *parser, _ string, _ int) error {
		return p.change(func(c *ContentMatch) error { c.EndsWith = true; return nil })
	}},
	"fast_pattern": {argMaybe, (*parser).fastPattern},
}

func (p *parser) change(f func(*ContentMatch) error) error {
	if p.last == nil {
		return errors.New("there is no content before it")
	}
	return f(&p.last.Content)
}

func (p *parser) fastPattern(arg string, _ int) error {
	if p.last == nil { // behind a pcre it is about the content before that
		if p.last = p.lastContent; p.last != nil {
			defer func() { p.last = nil }()
		}
	}
	return p.change(func(c *ContentMatch) error {
		c.Fast = true
		arg = strings.TrimSpace(arg)
		if arg == "" {
			return nil
		}
		if arg == "only" {
			c.FastOnly = true
			return nil
		}
		a, l, ok := strings.Cut(arg, ",")
		at, err1 := strconv.Atoi(strings.TrimSpace(a))
		n, err2 := strconv.Atoi(strings.TrimSpace(l))
		if !ok || err1 != nil || err2 != nil || at < 0 || n < 1 || at+n > len(c.Pattern) {
			return fmt.Errorf("%q is neither only nor offset,length within the content's %d bytes", arg, len(c.Pattern))
		}
		c.FastAt, c.FastLen = at, n
		return nil
	})
}

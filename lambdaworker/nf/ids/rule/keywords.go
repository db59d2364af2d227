package rule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Whether a keyword has a value.
const (
	argNone = iota
	argNeeded
	argMaybe
)

type keyword struct {
	arg int
	set func(p *parser, arg string, at int) error
}

// keywords is the whole language. What is not in it is refused by name.
var keywords = map[string]keyword{}

func init() {
	for name, b := range sticky {
		keywords[name] = keyword{argNone, func(p *parser, _ string, _ int) error { return p.use(b) }}
	}
	for name, b := range modifiers {
		keywords[name] = keyword{argNone, func(p *parser, _ string, at int) error { return p.move(b, at) }}
	}
	for name, kind := range transforms {
		keywords[name] = keyword{argMaybe, func(p *parser, arg string, _ int) error {
			t, err := transform(kind, arg)
			if err == nil && (!p.isSticky || p.section != nil && p.section == p.decoded) {
				err = errors.New("a transform stands behind the buffer it is about")
			}
			if s := p.section; s != nil {
				// Behind contents it opens the buffer anew, with what was done to it before.
				p.transforms, p.section, p.last, p.lastIn = append(p.transforms, s.Transforms...), nil, nil, nil
			}
			p.transforms = append(p.transforms, t)
			return err
		}}
	}
	for name, kind := range map[string]ItemKind{"byte_test": ByteTest, "byte_jump": ByteJump, "byte_extract": ByteExtract, "byte_math": ByteMath} {
		keywords[name] = keyword{argNeeded, func(p *parser, arg string, at int) error {
			it, err := p.byteKeyword(kind, arg)
			if err == nil {
				p.addBehind(it, at)
			}
			return err
		}}
	}
	keywords["requires"] = keyword{argNeeded, (*parser).requires} // it asks for keywords
	for _, part := range []map[string]keyword{meta, modify, look, fields, state, flows, values} {
		for name, k := range part {
			keywords[name] = k
		}
	}
}

// meta says things about the rule itself.
var meta = map[string]keyword{
	"msg": {argNeeded, func(p *parser, arg string, _ int) error {
		s, _, _, err := quoted(arg)
		p.rule.Msg = strings.NewReplacer(`\"`, `"`, `\;`, `;`, `\\`, `\`, `\:`, `:`).Replace(s)
		return err
	}},
	"sid": {argNeeded, func(p *parser, arg string, at int) error {
		p.sidAt = at
		return id(&p.rule.SID, arg)
	}},
	"gid":       {argNeeded, func(p *parser, arg string, _ int) error { return id(&p.rule.GID, arg) }},
	"rev":       {argNeeded, func(p *parser, arg string, _ int) error { return id(&p.rule.Rev, arg) }},
	"classtype": {argNeeded, func(p *parser, arg string, _ int) error { p.rule.Class = strings.TrimSpace(arg); return nil }},
	"reference": {argNeeded, func(p *parser, arg string, _ int) error {
		p.rule.References = append(p.rule.References, strings.TrimSpace(arg))
		return nil
	}},
	"metadata": {argNeeded, func(p *parser, arg string, _ int) error {
		p.rule.Metadata = append(p.rule.Metadata, commas(arg)...)
		return nil
	}},
	"target": {argNeeded, func(p *parser, arg string, _ int) error {
		switch p.rule.Target = strings.TrimSpace(arg); p.rule.Target {
		case "src_ip", "dest_ip":
			return nil
		}
		return fmt.Errorf("%q is no target; src_ip and dest_ip are", arg)
	}},
	"priority": {argNeeded, func(p *parser, arg string, _ int) error {
		n, err := strconv.Atoi(strings.TrimSpace(arg))
		if err != nil || n < 1 || n > 255 {
			return fmt.Errorf("%q is no number from 1 to 255", arg)
		}
		p.rule.Priority, p.hasPri = n, true
		return nil
	}},
	"bypass":    {argNone, func(p *parser, _ string, _ int) error { p.rule.Bypass = true; return nil }},
	"tag":       {argNeeded, nothing}, // about what else to log
	"noalert":   {argNone, func(p *parser, _ string, _ int) error { p.rule.NoAlert = true; return nil }},
	"prefilter": {argNone, nothing}, // our prefilter chooses by itself
	"tls.store": {argNone, func(p *parser, _ string, _ int) error { return p.needApp(TLSSNI) }},
	"tls_store": {argNone, func(p *parser, _ string, _ int) error { return p.needApp(TLSSNI) }},
}

func nothing(*parser, string, int) error { return nil }

func id(to *uint32, arg string) error {
	n, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(arg), `"`), 10, 32)
	if err != nil {
		return fmt.Errorf("%q is no number from 0 to %d", arg, uint32(1<<32-1))
	}
	*to = uint32(n)
	return nil
}

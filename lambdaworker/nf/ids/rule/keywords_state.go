package rule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// state are the keywords about what came before.
var state = map[string]keyword{
	"flow":             {argNeeded, (*parser).flow},
	"flowbits":         {argNeeded, (*parser).flowBits},
	"flowint":          {argNeeded, (*parser).flowInt},
	"xbits":            {argNeeded, (*parser).xBits},
	"hostbits":         {argNeeded, (*parser).hostBits},
	"threshold":        {argNeeded, func(p *parser, arg string, _ int) error { return p.limit(arg, &p.rule.Limit, false) }},
	"detection_filter": {argNeeded, func(p *parser, arg string, _ int) error { return p.limit(arg, &p.rule.Filter, true) }},
}

func (p *parser) flow(arg string, _ int) error {
	f := &p.rule.Flow
	for _, w := range commas(arg) {
		switch strings.ToLower(w) {
		case "established":
			f.Established = true
		case "not_established":
			f.NotEstablished = true
		case "stateless":
			f.Stateless = true
		case "to_server", "from_client":
			f.ToServer = true
		case "to_client", "from_server":
			f.ToClient = true
		case "only_stream":
			f.OnlyStream = true
		case "no_stream":
			f.NoStream = true
		case "only_frag":
			f.OnlyFrag = true
		case "no_frag":
			f.NoFrag = true
		default:
			return fmt.Errorf("%q is not known; established not_established stateless to_server to_client only_stream no_stream only_frag no_frag are", w)
		}
	}
	if f.ToServer && f.ToClient {
		return errors.New("to_server and to_client contradict each other")
	}
	if f.Established && f.NotEstablished || f.Stateless && (f.Established || f.NotEstablished) {
		return errors.New("established, not_established and stateless contradict each other")
	}
	return nil
}

func (p *parser) flowBits(arg string, _ int) error {
	op, names, has := strings.Cut(arg, ",")
	b := Bits{}
	switch strings.TrimSpace(op) {
	case "noalert":
		if has {
			return errors.New("noalert takes no name")
		}
		p.rule.NoAlert = true
		return nil
	case "set":
		b.Op = BitsSet
	case "unset":
		b.Op = BitsUnset
	case "toggle":
		b.Op = BitsToggle
	case "isset":
		b.Op = BitsIsSet
	case "isnotset":
		b.Op = BitsIsNotSet
	default:
		return fmt.Errorf("%q is no command; set unset toggle isset isnotset noalert are", op)
	}
	for _, n := range strings.Split(names, "|") {
		if n = strings.TrimSpace(n); n == "" || strings.ContainsAny(n, " \t") && !strings.Contains(names, "|") {
			return fmt.Errorf("%q is no name of a flowbit", names)
		}
		b.Names = append(b.Names, n)
	}
	if len(b.Names) > 1 && b.Op != BitsIsSet && b.Op != BitsIsNotSet {
		return errors.New("only isset and isnotset take several names")
	}
	p.rule.Bits = append(p.rule.Bits, b)
	return nil
}

func (p *parser) limit(arg string, to **Limit, filter bool) error {
	if *to != nil {
		return errors.New("it is there already")
	}
	l := &Limit{Kind: KindFilter}
	have := map[string]bool{}
	for _, w := range commas(arg) {
		name, val, _ := strings.Cut(w, " ")
		val = strings.TrimSpace(val)
		if have[name] {
			return fmt.Errorf("%s is there twice", name)
		}
		have[name] = true
		var err error
		var ok bool
		switch name {
		case "type":
			kinds := map[string]LimitKind{"limit": KindLimit, "threshold": KindThreshold, "both": KindBoth, "backoff": KindBackoff}
			if l.Kind, ok = kinds[val]; !ok || filter {
				err = fmt.Errorf("type %q is not known; limit threshold both backoff are", val)
			}
		case "track":
			tracks := map[string]Track{"by_src": BySrc, "by_dst": ByDst, "by_rule": ByRule, "by_both": ByBoth, "by_flow": ByFlow}
			if l.Track, ok = tracks[val]; !ok {
				err = fmt.Errorf("track %q is not known; by_src by_dst by_both by_rule by_flow are", val)
			}
		case "count":
			l.Count, err = positive(val)
		case "seconds":
			l.Seconds, err = positive(val)
		case "multiplier":
			l.Multiplier, err = positive(val)
		case "unique_on":
			ports := map[string]uint8{"src_port": 1, "dst_port": 2}
			if l.Unique, ok = ports[val]; !ok || !filter {
				err = fmt.Errorf("unique_on %q is not known; src_port and dst_port of detection_filter are", val)
			}
		default:
			err = fmt.Errorf("%q is not known", w)
		}
		if err != nil {
			return err
		}
	}
	if !have["track"] || !have["count"] || l.Kind != KindBackoff && !have["seconds"] || !filter && !have["type"] || l.Kind == KindBackoff && !have["multiplier"] {
		return errors.New("type, track, count and seconds (type backoff: multiplier) are all needed; detection_filter has no type")
	}
	*to = l
	return nil
}

func positive(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is no number above 0", s)
	}
	return uint32(n), nil
}

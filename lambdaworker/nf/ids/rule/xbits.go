package rule

import (
	"errors"
	"fmt"
	"strings"
)

// HostTrack says whose bit it is.
type HostTrack uint8

// Tracks of xbits and hostbits.
const (
	OfSource HostTrack = iota
	OfDestination
	OfPair   // of the two addresses together, whichever is the source
	OfEither // hostbits ..., both: of source and destination; asked for, of one of them
)

// XBit is one xbits or hostbits keyword: a bit of an address or of a pair of them, which other flows see too.
type XBit struct {
	Op     BitsOp
	Name   string
	Track  HostTrack
	Expire uint32 // seconds after which a set bit is none
}

// Seconds that bits stay where the rule does not say, as Suricata's.
const (
	xbitSeconds    = 30
	hostbitSeconds = 300
)

var bitOps = map[string]BitsOp{"set": BitsSet, "unset": BitsUnset, "toggle": BitsToggle, "isset": BitsIsSet, "isnotset": BitsIsNotSet}

func (p *parser) bitOp(arg string) (op BitsOp, w []string, noalert bool, err error) {
	w = commas(arg)
	if len(w) == 1 && w[0] == "noalert" {
		p.rule.NoAlert = true
		return 0, nil, true, nil
	}
	op, ok := bitOps[w[0]]
	if !ok {
		return 0, nil, false, fmt.Errorf("%q is no command; set unset toggle isset isnotset noalert are", w[0])
	}
	if len(w) < 2 || w[1] == "" || strings.ContainsAny(w[1], " \t") {
		return 0, nil, false, errors.New("the name of the bit is missing")
	}
	return op, w[1:], false, nil
}

// xBits is  set, name, track ip_src, expire 60 .
func (p *parser) xBits(arg string, _ int) error {
	op, w, done, err := p.bitOp(arg)
	if done || err != nil {
		return err
	}
	x := XBit{Op: op, Name: w[0], Expire: xbitSeconds}
	tracked := false
	for _, word := range w[1:] {
		name, val, _ := strings.Cut(word, " ")
		val = strings.TrimSpace(val)
		switch name {
		case "track":
			if x.Track, tracked = map[string]HostTrack{"ip_src": OfSource, "ip_dst": OfDestination, "ip_pair": OfPair}[val]; !tracked {
				return fmt.Errorf("track %q is not known; ip_src ip_dst ip_pair are", val)
			}
		case "expire":
			if x.Expire, err = positive(val); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%q is not known; track and expire are", word)
		}
	}
	if !tracked {
		return errors.New("track is missing: ip_src, ip_dst or ip_pair")
	}
	p.rule.XBits = append(p.rule.XBits, x)
	return nil
}

// hostBits is  set, name, src .
func (p *parser) hostBits(arg string, _ int) error {
	op, w, done, err := p.bitOp(arg)
	if done || err != nil {
		return err
	}
	x := XBit{Op: op, Name: w[0], Expire: hostbitSeconds}
	if len(w) > 2 {
		return fmt.Errorf("%q is of the form set,name or set,name,src", strings.TrimSpace(arg))
	}
	if len(w) == 2 {
		ok := false
		if x.Track, ok = map[string]HostTrack{"src": OfSource, "dst": OfDestination, "both": OfEither}[w[1]]; !ok {
			return fmt.Errorf("%q is no direction; src dst both are", w[1])
		}
	}
	p.rule.XBits = append(p.rule.XBits, x)
	return nil
}

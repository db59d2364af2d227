package rule

import (
	"errors"
	"fmt"
	"strings"
)

func valueOf(b Buffer, max uint64, names map[string]uint64) keyword {
	return keyword{argNeeded, func(p *parser, arg string, at int) error {
		it := &Item{Kind: Compare}
		var err error
		if b.Multi() {
			it.Pick = new(Pick)
			it.Range, *it.Pick, err = multi(arg, max, names)
		} else {
			it.Range, err = number(arg, max, names)
		}
		if err != nil {
			return err
		}
		return p.addValue(b, at, it)
	}}
}

func (p *parser) addValue(b Buffer, at int, it *Item) error {
	if err := p.needApp(b); err != nil {
		return err
	}
	s := p.sectionFor(b, at, b.Multi())
	s.Items = append(s.Items, it)
	return nil
}

// DNS codes by name (IANA "Domain Name System (DNS) Parameters").
var dnsRcodes = map[string]uint64{
	"noerror": 0, "formerr": 1, "servfail": 2, "nxdomain": 3, "notimp": 4, "refused": 5, "yxdomain": 6, "yxrrset": 7, "nxrrset": 8,
	"notauth": 9, "notzone": 10, "badvers": 16, "badsig": 16, "badkey": 17, "badtime": 18, "badmode": 19, "badname": 20, "badalg": 21, "badtrunc": 22,
}

var dnsTypes = map[string]uint64{
	"a": 1, "ns": 2, "md": 3, "mf": 4, "cname": 5, "soa": 6, "mb": 7, "mg": 8, "mr": 9, "null": 10, "wks": 11, "ptr": 12, "hinfo": 13, "minfo": 14,
	"mx": 15, "txt": 16, "rp": 17, "afsdb": 18, "sig": 24, "key": 25, "aaaa": 28, "loc": 29, "srv": 33, "naptr": 35, "kx": 36, "cert": 37, "a6": 38,
	"dname": 39, "opt": 41, "apl": 42, "ds": 43, "sshfp": 44, "ipseckey": 45, "rrsig": 46, "nsec": 47, "dnskey": 48, "dhcid": 49, "nsec3": 50,
	"nsec3param": 51, "tlsa": 52, "hip": 55, "cds": 59, "cdnskey": 60, "svcb": 64, "https": 65, "spf": 99, "tkey": 249, "tsig": 250,
	"ixfr": 251, "axfr": 252, "maila": 254, "any": 255, "uri": 256, "caa": 257,
}

// Versions as they stand in TLS records (RFC 8446 section 4.2.1) and SSL 2.
var tlsVersions = map[string]uint64{
	"1.0": 0x0301, "1.1": 0x0302, "1.2": 0x0303, "1.3": 0x0304,
}

var sslVersions = map[string]uint64{
	"sslv2": 0x0002, "sslv3": 0x0300, "tls1.0": 0x0301, "tls1.1": 0x0302, "tls1.2": 0x0303, "tls1.3": 0x0304,
}

// SSLStates are the bits of the ssl_state keyword.
var SSLStates = map[string]uint64{"client_hello": 1, "server_hello": 2, "client_keyx": 4, "server_keyx": 8, "unknown": 16}

// values are the keywords about one value of a transaction.
var values = map[string]keyword{
	"dns.opcode":         valueOf(DNSOpcode, 15, nil),
	"dns.rcode":          valueOf(DNSRcode, 65535, dnsRcodes),
	"dns.rrtype":         valueOf(DNSRRType, 65535, dnsTypes),
	"tls.cert_chain_len": valueOf(TLSCertChainLen, 1<<32-1, nil),
	"tls.version":        {argNeeded, (*parser).tlsVersion},
	"ssl_version":        {argNeeded, (*parser).sslVersion},
	"ssl_state":          {argNeeded, (*parser).sslState},
	"tls_cert_notbefore": {argNeeded, func(p *parser, arg string, at int) error { return p.date(TLSNotBefore, arg, at) }},
	"tls_cert_notafter":  {argNeeded, func(p *parser, arg string, at int) error { return p.date(TLSNotAfter, arg, at) }},
	"tls_cert_valid": {argNone, func(p *parser, _ string, at int) error {
		return p.addValue(TLSValid, at, &Item{Kind: Compare, Range: Range{Op: Equal, A: 1}})
	}},
	"tls_cert_expired": {argNone, func(p *parser, _ string, at int) error {
		return p.addValue(TLSExpired, at, &Item{Kind: Compare, Range: Range{Op: Equal, A: 1}})
	}},
	"tls.subject":     {argNeeded, func(p *parser, arg string, at int) error { return p.named(TLSCertSubject, arg, at, false) }},
	"tls.issuerdn":    {argNeeded, func(p *parser, arg string, at int) error { return p.named(TLSCertIssuer, arg, at, false) }},
	"tls.fingerprint": {argNeeded, func(p *parser, arg string, at int) error { return p.named(TLSCertFingerprint, arg, at, true) }},
}

// named is an older keyword with the text to look for as its value.
func (p *parser) named(b Buffer, arg string, at int, whole bool) error {
	text, _, negated, err := quoted(arg)
	if err != nil {
		return err
	}
	if err := p.needApp(b); err != nil {
		return err
	}
	c := ContentMatch{Pattern: []byte(text)}
	if whole {
		c = ContentMatch{Pattern: []byte(strings.ToLower(text)), StartsWith: true, EndsWith: true}
	}
	if text == "" {
		return errors.New("the text is empty")
	}
	s := p.sectionFor(b, at, false)
	s.Items = append(s.Items, &Item{Kind: Content, Negated: negated, Content: c})
	return nil
}

func (p *parser) tlsVersion(arg string, at int) error {
	s := strings.ToLower(strings.Trim(strings.TrimSpace(arg), `"`))
	r := Range{Op: Equal}
	if strings.HasPrefix(s, "!") {
		r.Op, s = NotEqual, s[1:]
	}
	n, ok := tlsVersions[strings.TrimSpace(s)]
	if !ok {
		var err error
		if r, err = number(arg, 65535, nil); err != nil {
			return fmt.Errorf("%q is no version; 1.0 1.1 1.2 1.3 are", arg)
		}
		n = r.A
	}
	r.A = n
	if ok {
		// A version by name: 1.3 has drafts with other numbers.
		r = Range{Op: map[RangeOp]RangeOp{Equal: AnyBit, NotEqual: NoBit}[r.Op], A: SSLVersionBit(n)}
		return p.addValue(TLSVersionName, at, &Item{Kind: Compare, Range: r})
	}
	return p.addValue(TLSVersion, at, &Item{Kind: Compare, Range: r})
}

// sslVersion is a list of versions, one of which it must be; behind a '!', which stands for the whole list, none of which.
// The Range is about SSLVersionBit of the version.
func (p *parser) sslVersion(arg string, at int) error {
	r := Range{Op: AnyBit}
	for _, w := range commas(strings.ToLower(strings.Trim(strings.TrimSpace(arg), `"`))) {
		if strings.HasPrefix(w, "!") {
			r.Op = NoBit
		}
		n, ok := sslVersions[strings.TrimPrefix(w, "!")]
		if !ok {
			return fmt.Errorf("%q is no version; sslv2 sslv3 tls1.0 tls1.1 tls1.2 tls1.3 are", w)
		}
		r.A |= SSLVersionBit(n)
	}
	return p.addValue(SSLVersion, at, &Item{Kind: Compare, Range: r})
}

// SSLVersionBit returns the bit that stands for a version number of the wire in the Range of ssl_version and of a version by name,
// 0 for unknown ones.
func SSLVersionBit(v uint64) uint64 {
	switch {
	case v == 0x0002:
		return 1
	case v >= 0x0300 && v <= 0x0304:
		return 2 << (v - 0x0300)
	case v>>8 == 0x7f: // drafts of TLS 1.3
		return 32
	}
	return 0
}

func (p *parser) sslState(arg string, at int) error {
	r := Range{Op: AnyBit}
	for _, w := range strings.FieldsFunc(strings.ToLower(arg), func(c rune) bool { return c == ',' || c == '|' || c == ' ' }) {
		if strings.HasPrefix(w, "!") {
			r.Op, w = NoBit, w[1:]
		}
		n, ok := SSLStates[w]
		if !ok {
			return fmt.Errorf("%q is no state; client_hello server_hello client_keyx server_keyx unknown are", w)
		}
		r.A |= n
	}
	return p.addValue(SSLState, at, &Item{Kind: Compare, Range: r})
}

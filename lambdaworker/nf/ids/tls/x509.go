package tls

import (
	"crypto/sha1"
	"encoding/binary"
	"strconv"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// certificates reads a Certificate message of TLS 1.2 and before (RFC 5246 section 7.4.2): all are kept as DER, the first is looked into.
func (p *Parser) certificates(c *conn, h *half, dir proto.Dir, m cryptobyte.String) {
	var chain, der cryptobyte.String
	m.ReadUint24LengthPrefixed(&chain)
	if !p.arena.Append(&h.certs, chain) {
		p.stats.NoMemory++
		return
	}
	n := 0
	for ; chain.ReadUint24LengthPrefixed(&der); n++ {
		p.stats.Certs++
		if n == 0 && !p.x509(c, h, dir, der) {
			p.stats.BadCert++
		}
	}
	if dir == proto.ToClient {
		c.Chain = n
	}
}

// DER tags (X.690).
const (
	tagInteger     = 0x02
	tagOID         = 0x06
	tagUTCTime     = 0x17
	tagTime        = 0x18
	tagBMP         = 0x1e
	tagSequence    = 0x30
	tagSet         = 0x31
	tagVersion     = 0xa0
	tagExtensions  = 0xa3
	tagOctetString = 0x04
)

// element cuts a DER element off b. cryptobyte's ReadASN1 would refuse a length that is longer than it has to be; libraries
// that clients use take such certificates, and so does Suricata.
func element(b []byte) (tag byte, content, rest []byte, ok bool) {
	if len(b) < 2 {
		return 0, nil, nil, false
	}
	tag = b[0]
	n, at := int(b[1]), 2
	if n&0x80 != 0 {
		k := n & 0x7f
		if k == 0 || k > 3 || len(b) < 2+k {
			return 0, nil, nil, false
		}
		n = 0
		for _, c := range b[2 : 2+k] {
			n = n<<8 | int(c)
		}
		at += k
	}
	if n > len(b)-at {
		return 0, nil, nil, false
	}
	return tag, b[at : at+n], b[at+n:], true
}

// expect cuts an element of that tag off b.
func expect(tag byte, b []byte) (content, rest []byte, ok bool) {
	t, content, rest, ok := element(b)
	return content, rest, ok && t == tag
}

// x509 reads a certificate (RFC 5280 section 4.1) and reports whether it is one. What was found before an error is kept.
func (p *Parser) x509(c *conn, h *half, dir proto.Dir, der []byte) bool {
	sum := sha1.Sum(der)
	p.text = appendColons(p.text[:0], sum[:], "0123456789abcdef")
	p.keep(h, itemFingerprint, p.text)

	cert, _, ok := expect(tagSequence, der)
	if !ok {
		return false
	}
	tbs, _, ok := expect(tagSequence, cert)
	if !ok {
		return false
	}
	if t, _, rest, ok := element(tbs); ok && t == tagVersion {
		tbs = rest
	}
	serial, tbs, ok := expect(tagInteger, tbs)
	if !ok {
		return false
	}
	p.text = appendColons(p.text[:0], serial, "0123456789ABCDEF")
	p.keep(h, itemSerial, p.text)
	if _, tbs, ok = expect(tagSequence, tbs); !ok { // signature algorithm
		return false
	}
	issuer, tbs, ok := expect(tagSequence, tbs)
	if !ok {
		return false
	}
	p.text = appendName(p.text[:0], issuer)
	p.keep(h, itemIssuer, p.text)
	validity, tbs, ok := expect(tagSequence, tbs)
	if !ok {
		return false
	}
	tag, from, validity, ok1 := element(validity)
	tag2, to, _, ok2 := element(validity)
	if ok1 && ok2 && dir == proto.ToClient {
		c.NotBefore, c.NotAfter = unix(tag, from), unix(tag2, to)
	}
	subject, tbs, ok := expect(tagSequence, tbs)
	if !ok {
		return false
	}
	p.text = appendName(p.text[:0], subject)
	p.keep(h, itemSubject, p.text)
	for len(tbs) > 0 {
		var tag byte
		var content []byte
		if tag, content, tbs, ok = element(tbs); !ok {
			return false
		}
		if tag == tagExtensions {
			p.altNames(h, content)
		}
	}
	return true
}

// appendColons appends b in hexadecimal, bytes parted by colons.
func appendColons(t, b []byte, digits string) []byte {
	for i, c := range b {
		if i > 0 {
			t = append(t, ':')
		}
		t = append(t, digits[c>>4], digits[c&15])
	}
	return t
}

// attributes are the short names of attribute types, by their OID's DER.
var attributes = [...]struct{ oid, name string }{
	{"\x55\x04\x03", "CN"}, {"\x55\x04\x06", "C"}, {"\x55\x04\x07", "L"}, {"\x55\x04\x08", "ST"}, {"\x55\x04\x0a", "O"}, {"\x55\x04\x0b", "OU"},
	{"\x55\x04\x04", "SN"}, {"\x55\x04\x05", "serialNumber"}, {"\x55\x04\x09", "street"}, {"\x55\x04\x0c", "title"}, {"\x55\x04\x0d", "description"},
	{"\x55\x04\x0f", "businessCategory"}, {"\x55\x04\x11", "postalCode"}, {"\x55\x04\x14", "telephoneNumber"}, {"\x55\x04\x29", "name"},
	{"\x55\x04\x2a", "GN"}, {"\x55\x04\x2b", "initials"}, {"\x55\x04\x2e", "dnQualifier"},
	{"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", "emailAddress"},
	{"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", "DC"}, {"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", "UID"},
	{"\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x01", "jurisdictionLocality"},
	{"\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x02", "jurisdictionST"}, {"\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x03", "jurisdictionC"},
}

// appendName appends a distinguished name as "C=DE, O=x, CN=y", in the order of the certificate; values as they are, NULs included.
func appendName(t, name []byte) []byte {
	first := true
	for len(name) > 0 {
		rdn, rest, ok := expect(tagSet, name)
		if !ok {
			return t
		}
		name = rest
		sep := ", "
		for len(rdn) > 0 {
			pair, more, ok := expect(tagSequence, rdn)
			if !ok {
				return t
			}
			rdn = more
			oid, value, ok := expect(tagOID, pair)
			if !ok {
				return t
			}
			tag, text, _, ok := element(value)
			if !ok {
				return t
			}
			if !first {
				t = append(t, sep...)
			}
			first, sep = false, " + "
			t = append(appendAttribute(t, oid), '=')
			t = appendText(t, tag, text)
		}
	}
	return t
}

func appendAttribute(t, oid []byte) []byte {
	for _, a := range attributes {
		if a.oid == string(oid) {
			return append(t, a.name...)
		}
	}
	v := 0
	for i, c := range oid {
		if i == 0 {
			t = strconv.AppendInt(t, int64(min(int(c)/40, 2)), 10)
			t = append(t, '.')
			t = strconv.AppendInt(t, int64(int(c)-40*min(int(c)/40, 2)), 10)
			continue
		}
		if v = v<<7 | int(c&0x7f); c&0x80 == 0 {
			t = append(t, '.')
			t = strconv.AppendInt(t, int64(v), 10)
			v = 0
		}
	}
	return t
}

func appendText(t []byte, tag byte, b []byte) []byte {
	if tag == tagBMP { // two bytes a character; those of Latin-1 as one
		for ; len(b) >= 2; b = b[2:] {
			if b[0] == 0 {
				t = append(t, b[1])
			} else {
				t = append(t, b[0], b[1])
			}
		}
		return t
	}
	return append(t, b...)
}

// altNames keeps the names of subjectAltName (RFC 5280 section 4.2.1.6), each behind two bytes of length.
func (p *Parser) altNames(h *half, b []byte) {
	list, _, ok := expect(tagSequence, b)
	for ok && len(list) > 0 {
		var ext []byte
		if ext, list, ok = expect(tagSequence, list); !ok {
			return
		}
		oid, rest, ok := expect(tagOID, ext)
		if !ok || string(oid) != "\x55\x1d\x11" {
			continue
		}
		tag, value, rest, ok := element(rest)
		if ok && tag == 0x01 { // critical
			tag, value, _, ok = element(rest)
		}
		if !ok || tag != tagOctetString {
			return
		}
		names, _, ok := expect(tagSequence, value)
		p.text = p.text[:0]
		for ok && len(names) > 0 && len(p.text) < 1<<15 {
			if tag, value, names, ok = element(names); !ok {
				break
			}
			at := len(p.text)
			p.text = append(p.text, 0, 0)
			switch tag {
			case 0x81, 0x82, 0x86: // e-mail, DNS, URI
				p.text = append(p.text, value...)
			case 0x87:
				p.text = appendIP(p.text, value)
			default:
				p.text = p.text[:at]
				continue
			}
			binary.BigEndian.PutUint16(p.text[at:], uint16(min(len(p.text)-at-2, 0xffff)))
		}
		p.keep(h, itemSAN, p.text)
		return
	}
}

func appendIP(t, b []byte) []byte {
	if len(b) != 4 {
		return appendColons(t, b, "0123456789abcdef")
	}
	for i, c := range b {
		if i > 0 {
			t = append(t, '.')
		}
		t = strconv.AppendUint(t, uint64(c), 10)
	}
	return t
}

// unix reads UTCTime or GeneralizedTime (RFC 5280 section 4.1.2.5) as Unix seconds; 0 if it is none.
func unix(tag byte, b []byte) int64 {
	digit := func(n int) (v int) {
		for range n {
			if len(b) == 0 || b[0] < '0' || b[0] > '9' {
				b = nil
				return -1
			}
			v = v*10 + int(b[0]-'0')
			b = b[1:]
		}
		return v
	}
	var year int
	switch tag {
	case tagUTCTime:
		if year = 1900 + digit(2); year < 1950 {
			year += 100
		}
	case tagTime:
		year = digit(4)
	default:
		return 0
	}
	month, day, hour, minute := digit(2), digit(2), digit(2), digit(2)
	if year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 24 || minute < 0 {
		return 0
	}
	second := 0
	if len(b) >= 2 && b[0] != 'Z' {
		second = max(digit(2), 0)
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC).Unix()
}

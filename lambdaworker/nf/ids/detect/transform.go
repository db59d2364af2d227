package detect

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"

	"golang.org/x/net/publicsuffix"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// transformer applies chains of transforms into memory of its own.
type transformer struct {
	buf [2][]byte
	// The last result: rules that ask for the same of one buffer come one after the other.
	of    *byte // first byte of what it was made of; nil if there is none
	size  int
	chain int
	made  []byte
}

// transformTicks is what a transform costs for a byte.
const transformTicks = 2

// maxTransformed bounds what a transform looks at.
const maxTransformed = 128 << 10

func newTransformer() *transformer {
	return &transformer{buf: [2][]byte{make([]byte, 0, maxTransformed), make([]byte, 0, maxTransformed)}}
}

// apply returns data after ts, which is chain number chain, valid until the next call, and what that cost in ticks.
func (t *transformer) apply(ts []rule.Transform, chain int, data []byte) (made []byte, ticks int) {
	if len(data) > 0 {
		if t.of == &data[0] && t.size == len(data) && t.chain == chain {
			return t.made, 0
		}
		t.of, t.size, t.chain = &data[0], len(data), chain
		ticks = transformTicks * len(data) * len(ts)
		defer func() { t.made = made }()
	}
	for i := range ts {
		if len(data) > maxTransformed-1 {
			data = data[:maxTransformed-1]
		}
		data = one(&ts[i], t.buf[i&1][:0], data)
	}
	return data, ticks
}

// one appends the transformed data to dst, or returns a part of data.
func one(t *rule.Transform, dst, data []byte) []byte {
	switch t.Kind {
	case rule.ToLower, rule.HeaderLowercase:
		value := false
		for _, c := range data {
			switch {
			case t.Kind == rule.HeaderLowercase && c == '\n':
				value = false
			case t.Kind == rule.HeaderLowercase && c == ':':
				value = true
			}
			if c >= 'A' && c <= 'Z' && !value {
				c += 32
			}
			dst = append(dst, c)
		}
	case rule.ToUpper:
		for _, c := range data {
			if c >= 'a' && c <= 'z' {
				c -= 32
			}
			dst = append(dst, c)
		}
	case rule.StripWhitespace:
		for _, c := range data {
			if !space(c) {
				dst = append(dst, c)
			}
		}
	case rule.CompressWhitespace:
		for i, c := range data {
			if !space(c) || i == 0 || !space(data[i-1]) {
				dst = append(dst, c)
			}
		}
	case rule.ToMD5:
		h := md5.Sum(data)
		dst = append(dst, h[:]...)
	case rule.ToSHA1:
		h := sha1.Sum(data)
		dst = append(dst, h[:]...)
	case rule.ToSHA256:
		h := sha256.Sum256(data)
		dst = append(dst, h[:]...)
	case rule.DotPrefix:
		dst = append(append(dst, '.'), data...)
	case rule.URLDecode:
		dst = urlDecode(dst, data)
	case rule.StripPseudoHeaders:
		dst = stripPseudo(dst, data)
	case rule.XOR:
		for i, c := range data {
			dst = append(dst, c^t.Key[i%len(t.Key)])
		}
	case rule.FromBase64:
		return decodeBase64(dst, data, t.Base64)
	case rule.Domain, rule.TLD:
		return suffix(t.Kind, data)
	}
	return dst
}

func space(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func urlDecode(dst, data []byte) []byte {
	for i := 0; i < len(data); i++ {
		c := data[i]
		if c == '+' {
			c = ' '
		} else if c == '%' && i+2 < len(data) {
			if hi, lo := hexDigit(data[i+1]), hexDigit(data[i+2]); hi >= 0 && lo >= 0 {
				c = byte(hi<<4 | lo)
				i += 2
			}
		}
		dst = append(dst, c)
	}
	return dst
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// stripPseudo removes the lines that begin with a colon.
func stripPseudo(dst, data []byte) []byte {
	for len(data) > 0 {
		end := 0
		for end < len(data) && data[end] != '\n' {
			end++
		}
		end = min(end+1, len(data))
		if data[0] != ':' {
			dst = append(dst, data[:end]...)
		}
		data = data[end:]
	}
	return dst
}

// suffix returns the registered domain or the public suffix of a name.
func suffix(kind rule.TransformKind, name []byte) []byte {
	tld, _ := publicsuffix.PublicSuffix(string(name))
	at := len(name) - len(tld)
	if at < 0 {
		return nil
	}
	if kind == rule.TLD {
		return name[at:]
	}
	for at -= 2; at >= 0 && name[at] != '.'; at-- {
	}
	return name[at+1:]
}

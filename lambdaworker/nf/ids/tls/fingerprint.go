package tls

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
)

// fingerprintClient makes JA3 (version, ciphers, extensions, groups, point formats in decimal) and JA4.
func (p *Parser) fingerprintClient(h *half, f *hello) {
	t := strconv.AppendUint(p.text[:0], uint64(f.version), 10)
	for _, l := range [...]*list{&f.ciphers, &f.extensions, &f.groups} {
		t = appendDecimals(append(t, ','), l.all())
	}
	t = append(t, ',')
	for i, v := range f.formats {
		if i > 0 {
			t = append(t, '-')
		}
		t = strconv.AppendUint(t, uint64(v), 10)
	}
	p.keepJA3(h, t)
	p.text = appendJA4(t[:0], f)
	p.keep(h, itemJA4, p.text)
}

// fingerprintServer makes JA3S: version, cipher, extensions.
func (p *Parser) fingerprintServer(h *half, f *hello) {
	t := strconv.AppendUint(p.text[:0], uint64(f.version), 10)
	t = appendDecimals(append(t, ','), f.ciphers.all())
	t = appendDecimals(append(t, ','), f.extensions.all())
	p.keepJA3(h, t)
	p.text = t
}

func (p *Parser) keepJA3(h *half, t []byte) {
	p.keep(h, itemJA3, t)
	sum := md5.Sum(t)
	var x [32]byte
	hex.Encode(x[:], sum[:])
	p.keep(h, itemJA3Hash, x[:])
}

func appendDecimals(t []byte, l []uint16) []byte {
	for i, v := range l {
		if i > 0 {
			t = append(t, '-')
		}
		t = strconv.AppendUint(t, uint64(v), 10)
	}
	return t
}

// appendJA4 makes the fingerprint of FoxIO's JA4 over TCP: version, SNI, counts and ALPN in the clear, then hashes of the
// sorted ciphers, and of the sorted extensions with the signature algorithms in their order.
func appendJA4(t []byte, f *hello) []byte {
	version := f.version
	if f.supported != 0 {
		version = f.supported
	}
	t = append(t, 't')
	switch version {
	case 0x0304:
		t = append(t, "13"...)
	case 0x0303:
		t = append(t, "12"...)
	case 0x0302:
		t = append(t, "11"...)
	case 0x0301:
		t = append(t, "10"...)
	case 0x0300:
		t = append(t, "s3"...)
	default:
		t = append(t, "00"...)
	}
	sni := byte('i')
	if f.hasSNI {
		sni = 'd'
	}
	t = append(t, sni)
	t = appendTwo(t, f.ciphers.n)
	t = appendTwo(t, f.extensions.n)
	t = appendALPN(t, f.alpn)
	var scratch [maxList*5*2 + 8]byte
	slices.Sort(f.ciphers.all())
	t = appendHash(append(t, '_'), appendHexes(scratch[:0], f.ciphers.all()))
	slices.Sort(f.extensions.all())
	s := scratch[:0]
	for _, v := range f.extensions.all() {
		if v == extServerName || v == extALPN {
			continue
		}
		if len(s) > 0 {
			s = append(s, ',')
		}
		s = appendHex(s, v)
	}
	if len(s) > 0 && f.signatures.n > 0 {
		s = appendHexes(append(s, '_'), f.signatures.all())
	}
	return appendHash(append(t, '_'), s)
}

func appendTwo(t []byte, n int) []byte {
	n = min(n, 99)
	return append(t, byte('0'+n/10), byte('0'+n%10))
}

// appendALPN appends the first and the last character of a protocol, or those of its hexadecimal form if they are no letters or digits.
func appendALPN(t, v []byte) []byte {
	if len(v) == 0 {
		return append(t, "00"...)
	}
	first, last := v[0], v[len(v)-1]
	if alnum(first) && alnum(last) {
		return append(t, first, last)
	}
	const digits = "0123456789abcdef"
	return append(t, digits[first>>4], digits[last&15])
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func appendHex(t []byte, v uint16) []byte {
	const digits = "0123456789abcdef"
	return append(t, digits[v>>12], digits[v>>8&15], digits[v>>4&15], digits[v&15])
}

func appendHexes(t []byte, l []uint16) []byte {
	for i, v := range l {
		if i > 0 {
			t = append(t, ',')
		}
		t = appendHex(t, v)
	}
	return t
}

// appendHash appends the first 12 digits of the SHA-256 of s; zeros for nothing.
func appendHash(t, s []byte) []byte {
	if len(s) == 0 {
		return append(t, "000000000000"...)
	}
	sum := sha256.Sum256(s)
	return hex.AppendEncode(t, sum[:6])
}

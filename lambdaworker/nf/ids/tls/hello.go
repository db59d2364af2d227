package tls

import "encoding/binary"

// Extensions that are looked into (IANA "TLS ExtensionType Values").
const (
	extServerName        = 0
	extGroups            = 10
	extPointFormats      = 11
	extSignatures        = 13
	extALPN              = 16
	extSupportedVersions = 43
)

// maxList is how many ciphers, extensions and the like are kept for fingerprints.
const maxList = 128

// list is a short list of numbers, without reserved ones (RFC 8701).
type list struct {
	v [maxList]uint16
	n int
}

func (l *list) add(v uint16) {
	if l.n < maxList && !isGrease(v) {
		l.v[l.n] = v
		l.n++
	}
}

func (l *list) addAll(b []byte) {
	for ; len(b) >= 2; b = b[2:] {
		l.add(binary.BigEndian.Uint16(b))
	}
}

func (l *list) all() []uint16 { return l.v[:l.n] }

func isGrease(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// hello is what fingerprints are made of.
type hello struct {
	version    uint16
	first      uint16 // of supported_versions that is a version of TLS, 0 without
	supported  uint16 // highest of supported_versions, 0 without
	ciphers    list
	extensions list
	groups     list
	signatures list
	formats    []byte
	hasSNI     bool
	alpn       []byte // first protocol
}

// clientHello reads a ClientHello (RFC 8446 section 4.1.2).
func (p *Parser) clientHello(c *conn, h *half, m []byte) {
	r := reader{b: m}
	var f hello
	f.version = uint16(r.number(2))
	h.keepRandom(r.take(32))
	r.vector(1) // session id
	f.ciphers.addAll(r.vector(2))
	r.vector(1) // compression
	if r.broken {
		return // it says nothing that could be relied on, its version neither
	}
	c.ClientVersion = f.version
	p.extensions(h, &f, r.vector(2), false)
	if f.first != 0 {
		c.ClientVersion = f.first
	}
	p.fingerprintClient(h, &f)
}

// serverHello reads a ServerHello (RFC 8446 section 4.1.3).
func (p *Parser) serverHello(c *conn, h *half, m []byte) {
	r := reader{b: m}
	var f hello
	f.version = uint16(r.number(2))
	h.keepRandom(r.take(32))
	r.vector(1)
	f.ciphers.n = 1
	f.ciphers.v[0] = uint16(r.number(2))
	r.number(1)
	if r.broken {
		return
	}
	p.extensions(h, &f, r.vector(2), true)
	if c.ServerVersion = f.version; f.supported != 0 {
		c.ServerVersion = f.supported
	}
	p.fingerprintServer(h, &f)
}

func (h *half) keepRandom(b []byte) {
	if len(b) == 32 {
		copy(h.random[:], b)
		h.hasRandom = true
	}
}

func (p *Parser) extensions(h *half, f *hello, b []byte, server bool) {
	r := reader{b: b}
	for len(r.b) > 0 {
		kind := uint16(r.number(2))
		d := reader{b: r.vector(2)}
		if r.broken {
			return
		}
		f.extensions.add(kind)
		switch kind {
		case extServerName:
			f.hasSNI = true
			names := reader{b: d.vector(2)}
			for len(names.b) > 0 {
				t, name := names.number(1), names.vector(2)
				if t == 0 && len(name) > 0 {
					p.keep(h, itemSNI, name)
					break
				}
			}
		case extGroups:
			f.groups.addAll(d.vector(2))
		case extPointFormats:
			f.formats = d.vector(1)
		case extSignatures:
			f.signatures.addAll(d.vector(2))
		case extALPN:
			p.alpn(h, f, d.vector(2))
		case extSupportedVersions:
			if server {
				f.supported = uint16(d.number(2))
				break
			}
			for v := (reader{b: d.vector(1)}); len(v.b) >= 2; {
				if n := uint16(v.number(2)); !isGrease(n) {
					f.supported = max(f.supported, n)
					if f.first == 0 && (n >= 0x0300 && n <= 0x0304 || n>>8 == 0x7f) {
						f.first = n
					}
				}
			}
		}
	}
}

// alpn keeps the protocols of RFC 7301, each behind two bytes of length.
func (p *Parser) alpn(h *half, f *hello, b []byte) {
	p.text = p.text[:0]
	for r := (reader{b: b}); len(r.b) > 0; {
		v := r.vector(1)
		if len(v) == 0 {
			break
		}
		if f.alpn == nil {
			f.alpn = v
		}
		p.text = append(binary.BigEndian.AppendUint16(p.text, uint16(len(v))), v...)
	}
	p.keep(h, itemALPN, p.text)
}

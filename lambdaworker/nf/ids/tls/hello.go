package tls

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
)

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
func (p *Parser) clientHello(c *conn, h *half, m cryptobyte.String) {
	var f hello
	var random []byte
	var session, ciphers, compression, extensions cryptobyte.String
	ok := m.ReadUint16(&f.version) && m.ReadBytes(&random, 32)
	h.keepRandom(random)
	if !ok || !m.ReadUint8LengthPrefixed(&session) || !m.ReadUint16LengthPrefixed(&ciphers) || !m.ReadUint8LengthPrefixed(&compression) {
		return // it says nothing that could be relied on, its version neither
	}
	f.ciphers.addAll(ciphers)
	c.ClientVersion = f.version
	m.ReadUint16LengthPrefixed(&extensions)
	p.extensions(h, &f, extensions, false)
	if f.first != 0 {
		c.ClientVersion = f.first
	}
	p.fingerprintClient(h, &f)
}

// serverHello reads a ServerHello (RFC 8446 section 4.1.3).
func (p *Parser) serverHello(c *conn, h *half, m cryptobyte.String) {
	var f hello
	var random []byte
	var session, extensions cryptobyte.String
	ok := m.ReadUint16(&f.version) && m.ReadBytes(&random, 32)
	h.keepRandom(random)
	if !ok || !m.ReadUint8LengthPrefixed(&session) || !m.ReadUint16(&f.ciphers.v[0]) || !m.Skip(1) {
		return
	}
	f.ciphers.n = 1
	m.ReadUint16LengthPrefixed(&extensions)
	p.extensions(h, &f, extensions, true)
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

func (p *Parser) extensions(h *half, f *hello, list cryptobyte.String, server bool) {
	for !list.Empty() {
		var kind uint16
		var d, v cryptobyte.String
		if !list.ReadUint16(&kind) || !list.ReadUint16LengthPrefixed(&d) {
			return
		}
		f.extensions.add(kind)
		switch kind {
		case extServerName:
			f.hasSNI = true
			d.ReadUint16LengthPrefixed(&v)
			p.serverName(h, v)
		case extGroups:
			d.ReadUint16LengthPrefixed(&v)
			f.groups.addAll(v)
		case extPointFormats:
			d.ReadUint8LengthPrefixed(&v)
			f.formats = v
		case extSignatures:
			d.ReadUint16LengthPrefixed(&v)
			f.signatures.addAll(v)
		case extALPN:
			d.ReadUint16LengthPrefixed(&v)
			p.alpn(h, f, v)
		case extSupportedVersions:
			if server {
				d.ReadUint16(&f.supported)
				break
			}
			d.ReadUint8LengthPrefixed(&v)
			f.versions(v)
		}
	}
}

// serverName keeps the first host name of a list (RFC 6066 section 3).
func (p *Parser) serverName(h *half, list cryptobyte.String) {
	var kind uint8
	var name cryptobyte.String
	for list.ReadUint8(&kind) && list.ReadUint16LengthPrefixed(&name) {
		if kind == 0 && len(name) > 0 {
			p.keep(h, itemSNI, name)
			return
		}
	}
}

// versions reads what a client supports.
func (f *hello) versions(list cryptobyte.String) {
	var n uint16
	for list.ReadUint16(&n) {
		if isGrease(n) {
			continue
		}
		f.supported = max(f.supported, n)
		if f.first == 0 && (n >= 0x0300 && n <= 0x0304 || n>>8 == 0x7f) {
			f.first = n
		}
	}
}

// alpn keeps the protocols of RFC 7301, each behind two bytes of length.
func (p *Parser) alpn(h *half, f *hello, list cryptobyte.String) {
	p.text = p.text[:0]
	var v cryptobyte.String
	for list.ReadUint8LengthPrefixed(&v) && len(v) > 0 {
		if f.alpn == nil {
			f.alpn = v
		}
		p.text = append(binary.BigEndian.AppendUint16(p.text, uint16(len(v))), v...)
	}
	p.keep(h, itemALPN, p.text)
}

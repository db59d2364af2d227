package ids

import (
	"github.com/granule-nf/granule/lambdaworker/nf/ids/dns"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/http"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/tls"
)

const httpDone = http.Done

// views are the transactions as the engine sees them: one of each protocol, filled before use.
type views struct {
	http httpView
	tls  tlsView
	dns  dnsView
}

func (v *views) init(n *IDS) {
	v.http.parser = n.http
	v.tls.parser = n.tls
	v.dns.m = &n.message
}

// httpView is one direction of an HTTP transaction.
type httpView struct {
	parser *http.Parser
	tx     *http.Tx
	dir    proto.Dir
}

// httpBuffers are the parser's names of the rules' buffers.
var httpBuffers = [rule.NumBuffers]http.Buffer{
	rule.HTTPMethod: http.Method, rule.HTTPURI: http.URI, rule.HTTPURIRaw: http.URIRaw, rule.HTTPRequestLine: http.RequestLine,
	rule.HTTPRequestBody: http.RequestBody, rule.HTTPHeader: http.Header, rule.HTTPHeaderRaw: http.HeaderRaw, rule.HTTPCookie: http.Cookie,
	rule.HTTPUserAgent: http.UserAgent, rule.HTTPHost: http.Host, rule.HTTPHostRaw: http.HostRaw, rule.HTTPAccept: http.Accept,
	rule.HTTPAcceptEnc: http.AcceptEncoding, rule.HTTPAcceptLang: http.AcceptLanguage, rule.HTTPReferer: http.Referer,
	rule.HTTPConnection: http.Connection, rule.HTTPContentType: http.ContentType, rule.HTTPContentLen: http.ContentLength,
	rule.HTTPStart: http.Start, rule.HTTPProtocol: http.Protocol, rule.HTTPHeaderNames: http.HeaderNames, rule.HTTPStatCode: http.StatCode,
	rule.HTTPStatMsg: http.StatMsg, rule.HTTPResponseLine: http.ResponseLine, rule.HTTPResponseBody: http.ResponseBody,
	rule.HTTPServer: http.Server, rule.HTTPLocation: http.Location, rule.HTTPRequestHeader: http.RequestHeaders,
	rule.HTTPResponseHeader: http.ResponseHeaders, rule.FileData: http.FileData, rule.FileName: http.URI,
}

func body(b rule.Buffer) bool {
	return b == rule.FileData || b == rule.HTTPRequestBody || b == rule.HTTPResponseBody
}

// Ready implements detect.Tx.
func (v *httpView) Ready(b rule.Buffer) bool {
	if body(b) {
		return v.parser.BodyReady(v.tx, v.dir) || v.Complete()
	}
	return v.tx.Progress(v.dir) >= httpBuffers[b].Ready()
}

// More implements detect.Tx.
func (v *httpView) More(b rule.Buffer) bool {
	return body(b) && !v.Complete() && !v.parser.Body(v.tx, v.dir).Complete
}

// Complete implements detect.Tx.
func (v *httpView) Complete() bool { return v.tx.Progress(v.dir) == http.Done }

// Bytes implements detect.Tx.
func (v *httpView) Bytes(b rule.Buffer, i int) ([]byte, bool) {
	switch b {
	case rule.HTTPRequestHeader, rule.HTTPResponseHeader:
		return v.parser.Headers(v.tx, v.dir, i)
	case rule.FileData, rule.HTTPRequestBody, rule.HTTPResponseBody:
		if i > 0 {
			return nil, false
		}
		data := v.parser.Body(v.tx, v.dir).Data
		return data, len(data) > 0
	}
	if i > 0 {
		return nil, false
	}
	return v.parser.Buffer(v.tx, v.dir, httpBuffers[b])
}

// Number implements detect.Tx; no buffer of HTTP is a number.
func (v *httpView) Number(rule.Buffer, int) (uint64, bool) { return 0, false }

// dnsView is a DNS message.
type dnsView struct{ m *dns.Message }

// Ready implements detect.Tx: messages come whole.
func (v *dnsView) Ready(rule.Buffer) bool { return true }

// More implements detect.Tx.
func (v *dnsView) More(rule.Buffer) bool { return false }

// Complete implements detect.Tx.
func (v *dnsView) Complete() bool { return true }

// Bytes implements detect.Tx.
func (v *dnsView) Bytes(b rule.Buffer, i int) ([]byte, bool) {
	switch b {
	case rule.DNSQuery, rule.DNSQueriesRRName:
		return v.name(dns.Queries, i)
	case rule.DNSAnswersRRName:
		return v.name(dns.Answers, i)
	case rule.DNSAuthoritiesRRName:
		return v.name(dns.Authorities, i)
	case rule.DNSAdditionalsRRName:
		return v.name(dns.Additionals, i)
	case rule.DNSResponseRRName:
		return v.any(i)
	}
	return nil, false
}

func (v *dnsView) name(s dns.Section, i int) ([]byte, bool) {
	rs := v.m.Records(s)
	if i >= len(rs) {
		return nil, false
	}
	return v.m.Name(&rs[i]), true
}

// any returns the i-th name of the message: owners of all sections, and the names that records point to.
func (v *dnsView) any(i int) ([]byte, bool) {
	for s := dns.Queries; s < dns.NumSections; s++ {
		rs := v.m.Records(s)
		for k := range rs {
			if i == 0 {
				return v.m.Name(&rs[k]), true
			}
			i--
			if t := v.m.Target(&rs[k]); t != nil {
				if i == 0 {
					return t, true
				}
				i--
			}
		}
	}
	return nil, false
}

// Number implements detect.Tx.
func (v *dnsView) Number(b rule.Buffer, i int) (uint64, bool) {
	switch b {
	case rule.DNSOpcode:
		return uint64(v.m.Opcode), i == 0
	case rule.DNSRcode:
		return uint64(v.m.Rcode), i == 0 && v.m.Response
	case rule.DNSRRType:
		for s := dns.Queries; s < dns.NumSections; s++ {
			rs := v.m.Records(s)
			if i < len(rs) {
				return uint64(rs[i].Type), true
			}
			i -= len(rs)
		}
	}
	return 0, false
}

// tlsView is one direction of a TLS handshake.
type tlsView struct {
	parser *tls.Parser
	flow   uint32
	dir    proto.Dir
	state  *tls.State
	now    int64
}

var tlsBuffers = [rule.NumBuffers]tls.Buffer{
	rule.TLSSNI: tls.SNI, rule.TLSALPN: tls.ALPN, rule.TLSCertSubject: tls.Subject, rule.TLSCertIssuer: tls.Issuer, rule.TLSCertSerial: tls.Serial,
	rule.TLSCertFingerprint: tls.Fingerprint, rule.TLSSubjectAltName: tls.SubjectAltName, rule.TLSCerts: tls.Certs, rule.TLSRandom: tls.Random,
	rule.TLSRandomTime: tls.RandomTime, rule.TLSRandomBytes: tls.RandomBytes, rule.JA3Hash: tls.JA3Hash, rule.JA3String: tls.JA3String,
	rule.JA3SHash: tls.JA3SHash, rule.JA3SString: tls.JA3SString, rule.JA4Hash: tls.JA4,
}

// needs says which part of the handshake holds a buffer.
func (v *tlsView) needs(b rule.Buffer) tls.Seen {
	hello, cert := tls.ClientHello, tls.ClientCert
	if v.dir == proto.ToClient {
		hello, cert = tls.ServerHello, tls.ServerCert
	}
	switch b {
	case rule.TLSCertSubject, rule.TLSCertIssuer, rule.TLSCertSerial, rule.TLSCertFingerprint, rule.TLSCerts, rule.TLSSubjectAltName,
		rule.TLSCertChainLen, rule.TLSNotBefore, rule.TLSNotAfter, rule.TLSValid, rule.TLSExpired:
		return cert
	}
	return hello
}

// Ready implements detect.Tx.
func (v *tlsView) Ready(b rule.Buffer) bool {
	switch b {
	case rule.SSLState:
		return true
	case rule.SSLVersion, rule.TLSVersion:
		_, ok := v.version()
		return ok || v.Complete()
	}
	return v.state.Seen&v.needs(b) != 0 || v.Complete()
}

// More implements detect.Tx.
func (v *tlsView) More(b rule.Buffer) bool { return b == rule.SSLState && !v.Complete() }

// Complete implements detect.Tx.
func (v *tlsView) Complete() bool { return v.state.Done[v.dir] }

// Bytes implements detect.Tx.
func (v *tlsView) Bytes(b rule.Buffer, i int) ([]byte, bool) {
	k := tlsBuffers[b]
	if dir, one := k.Dir(); one && dir != v.dir {
		return nil, false
	}
	if i > 0 && !k.Many() {
		return nil, false
	}
	return v.parser.Buffer(v.flow, v.dir, k, i)
}

func (v *tlsView) version() (uint64, bool) {
	x := v.state.ClientVersion
	if v.dir == proto.ToClient {
		x = v.state.ServerVersion
	}
	if x == 0 {
		x = v.state.RecordVersion[v.dir]
	}
	return uint64(x), x != 0
}

// Number implements detect.Tx.
func (v *tlsView) Number(b rule.Buffer, i int) (uint64, bool) {
	if i > 0 {
		return 0, false
	}
	s := v.state
	has := s.Seen&v.needs(b) != 0
	switch b {
	case rule.TLSCertChainLen:
		return uint64(s.Chain), has
	case rule.TLSVersion:
		return v.version()
	case rule.SSLVersion:
		x, ok := v.version()
		return rule.SSLVersionBit(x), ok && rule.SSLVersionBit(x) != 0
	case rule.SSLState:
		return sslState(s.Seen), true
	}
	has = has && (s.NotBefore != 0 || s.NotAfter != 0)
	now := v.now / 1e9
	switch b {
	case rule.TLSNotBefore:
		return uint64(max(s.NotBefore, 0)), has
	case rule.TLSNotAfter:
		return uint64(max(s.NotAfter, 0)), has
	case rule.TLSExpired:
		return flag(s.NotAfter < now), has
	case rule.TLSValid:
		return flag(s.NotBefore <= now && now <= s.NotAfter), has
	}
	return 0, false
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// sslState are the bits of rule.SSLStates.
func sslState(s tls.Seen) (x uint64) {
	for i, part := range [4]tls.Seen{tls.ClientHello, tls.ServerHello, tls.ClientKeyX, tls.ServerDone} {
		if s&part != 0 {
			x |= 1 << i
		}
	}
	return x
}

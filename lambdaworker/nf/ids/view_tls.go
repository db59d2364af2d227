package ids

import (
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/tls"
)

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
	case rule.SSLVersion:
		_, ok := v.version(true)
		return ok || v.Complete()
	}
	return v.state.Seen&v.needs(b) != 0 || v.Complete()
}

// More implements detect.Tx.
func (v *tlsView) More(b rule.Buffer) bool { return b == rule.SSLState && !v.Complete() }

// Seen implements detect.Tx.
func (v *tlsView) Seen(rule.Buffer) int { return 0 }

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

// version is what the direction's hello says; before one was read, with records, what the record says.
func (v *tlsView) version(records bool) (uint64, bool) {
	x := v.state.ClientVersion
	if v.dir == proto.ToClient {
		x = v.state.ServerVersion
	}
	if x == 0 && records {
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
		return v.version(false)
	case rule.TLSVersionName, rule.SSLVersion:
		x, ok := v.version(b == rule.SSLVersion)
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

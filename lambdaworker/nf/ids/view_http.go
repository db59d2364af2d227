package ids

import (
	"github.com/granule-nf/granule/lambdaworker/nf/ids/http"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
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

// grows reports whether b comes with a body, piece by piece.
func (v *httpView) grows(b rule.Buffer) bool {
	return b == rule.FileData || b == rule.HTTPRequestBody || b == rule.HTTPResponseBody || b == rule.FileName && v.dir == proto.ToServer
}

// Ready implements detect.Tx.
func (v *httpView) Ready(b rule.Buffer) bool {
	if v.grows(b) {
		return v.parser.BodyReady(v.tx, v.dir) || v.Complete()
	}
	return v.tx.Progress(v.dir) >= httpBuffers[b].Ready()
}

// More implements detect.Tx.
func (v *httpView) More(b rule.Buffer) bool {
	return v.grows(b) && !v.Complete() && !v.parser.Body(v.tx, v.dir).Complete
}

// Seen implements detect.Tx.
func (v *httpView) Seen(b rule.Buffer) int {
	if !v.grows(b) || v.dir == proto.ToServer && (b == rule.FileName || b == rule.FileData && v.parser.InParts(v.tx)) {
		return 0
	}
	return v.parser.Body(v.tx, v.dir).Fresh
}

// Complete implements detect.Tx.
func (v *httpView) Complete() bool { return v.tx.Progress(v.dir) == http.Done }

// Bytes implements detect.Tx.
func (v *httpView) Bytes(b rule.Buffer, i int) ([]byte, bool) {
	switch {
	case b == rule.HTTPRequestHeader || b == rule.HTTPResponseHeader:
		return v.parser.Headers(v.tx, v.dir, i)
	case v.dir == proto.ToServer && (b == rule.FileData || b == rule.FileName):
		name, data, ok := v.parser.File(v.tx, i)
		if b == rule.FileName {
			return name, ok
		}
		return data, ok
	case i > 0:
		return nil, false
	case v.grows(b):
		data := v.parser.Body(v.tx, v.dir).Data
		return data, len(data) > 0
	}
	return v.parser.Buffer(v.tx, v.dir, httpBuffers[b])
}

// Number implements detect.Tx; no buffer of HTTP is a number.
func (v *httpView) Number(rule.Buffer, int) (uint64, bool) { return 0, false }

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

// Seen implements detect.Tx.
func (v *httpView) Seen(b rule.Buffer) int {
	if !body(b) {
		return 0
	}
	return v.parser.Body(v.tx, v.dir).Fresh
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

package http

import "github.com/granule-nf/granule/lambdaworker/nf/ids/proto"

// Buffer is one inspection buffer of a transaction. Names are those of Suricata's sticky buffers.
type Buffer uint8

// Buffers. Those with a direction of their own ignore the dir of Parser.Buffer; the others exist in both.
const (
	Method          Buffer = iota // http.method
	URI                           // http.uri, normalised
	URIRaw                        // http.uri.raw
	Host                          // http.host, normalised: lower case, no port
	HostRaw                       // http.host.raw
	UserAgent                     // http.user_agent
	Referer                       // http.referer
	Accept                        // http.accept
	AcceptEncoding                // http.accept_enc
	AcceptLanguage                // http.accept_lang
	RequestLine                   // http.request_line, without its line ending
	RequestBody                   // http.request_body
	RequestHeaders                // http.request_header: many, "Name: value" each; see Headers
	ResponseLine                  // http.response_line
	ResponseBody                  // http.response_body: as it is on the wire but for chunks and content encoding
	ResponseHeaders               // http.response_header: many
	StatCode                      // http.stat_code
	StatMsg                       // http.stat_msg
	Server                        // http.server
	Location                      // http.location
	Protocol                      // http.protocol
	Cookie                        // http.cookie: Cookie to the server, Set-Cookie to the client
	ContentLength                 // http.content_len
	ContentType                   // http.content_type
	Connection                    // http.connection
	Header                        // http.header: names and values as "Name: value\r\n", without cookies
	HeaderRaw                     // http.header.raw: as on the wire
	HeaderNames                   // http.header_names: "\r\nName\r\nName\r\n\r\n"
	Start                         // http.start: the first line and the header block
	FileData                      // file.data to the client: ResponseBody; see File for those to the server
	NumBuffers
)

// Dir returns the direction to which b belongs and true, or false if it exists in both.
func (b Buffer) Dir() (proto.Dir, bool) {
	switch {
	case b <= RequestHeaders:
		return proto.ToServer, true
	case b <= Location:
		return proto.ToClient, true
	}
	return 0, false
}

// Ready returns the progress of its direction at which b is complete: those of the first line before the fields are, the
// others with the fields. Bodies grow from then on, see Parser.Body.
func (b Buffer) Ready() Progress {
	switch b {
	case Method, URI, URIRaw, RequestLine, ResponseLine, StatCode, StatMsg, Protocol:
		return HeadersProgress
	}
	return BodyProgress
}

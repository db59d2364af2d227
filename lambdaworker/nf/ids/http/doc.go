// Package http follows HTTP/1 in both directions of a flow and offers what Suricata's http.* buffers hold.
//
// Feed takes stream bytes in any segmentation; what the buffers hold depends on the bytes alone. A transaction is a
// request and its response. Pipelined requests make several at once; they are listed oldest first. The rules of
// tolerance are those of the HTTP parser in Suricata's newest branch with its default personality: it reads what browsers would
// read, since what a browser renders is what an attacker can use.
//
// Content encodings gzip and deflate are undone, nested as deep as Config says; gzip, zlib and bare DEFLATE are told apart by
// their bytes, since servers confuse them. br and lzma are not undone: such a body is shown as it came. Trailers behind
// a chunked body are read and not shown.
//
// # Limits
//
// A line or header block larger than HeaderLimit ends the inspection of its direction. Of a body, RequestBodyLimit or ResponseBodyLimit bytes after
// decompression are kept. All bytes live in the Arena; when it is full a body is cut, and counted.
//
// # Body windows
//
// Body returns the part of a body that is still kept, and which bytes of it were not inspected yet. The engine calls
// BodyInspected after looking at it. Suricata looks for the first time when MinInspect bytes are there or the body ended, and keeps
// InspectWindow bytes of what it has seen for the next look; BodyReady says so.
package http

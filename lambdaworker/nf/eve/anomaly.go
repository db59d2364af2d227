package eve

import "github.com/granule-nf/granule/lambdaworker/nf"

// AppendAnomaly appends an event of type anomaly. kind is "decode", "stream" or "applayer", event names what is odd in
// lower case with dots or underscores; layer, for applayer, is "proto_parser" or "proto_detect", else empty.
func AppendAnomaly(dst []byte, p *nf.Packet, kind, event, layer string, c *Context) []byte {
	dst = Begin(dst, p, "anomaly")
	dst = append(dst, `,"anomaly":{"type":`...)
	dst = AppendString(dst, kind)
	dst = append(dst, `,"event":`...)
	dst = AppendString(dst, event)
	if layer != "" {
		dst = append(dst, `,"layer":`...)
		dst = AppendString(dst, layer)
	}
	dst = append(dst, '}')
	return End(c.append(dst))
}

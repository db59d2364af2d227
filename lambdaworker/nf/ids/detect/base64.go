package detect

import "github.com/granule-nf/granule/lambdaworker/nf/ids/rule"

// base64Value gives each byte of the alphabet (RFC 4648 section 4) its value, 64 to those that are not in it.
var base64Value = func() (v [256]byte) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range v {
		v[i] = 64
	}
	for i := range len(alphabet) {
		v[alphabet[i]] = byte(i)
	}
	return v
}()

// maxDecoded is how many bytes base64_decode gives at most.
const maxDecoded = 1 << 16

// decodeBase64 appends to dst what is encoded in the part of data that b names, as far as dst has room. A group that is cut short counts with
// its whole bytes.
func decodeBase64(dst, data []byte, b rule.Base64) []byte {
	if b.Offset >= len(data) {
		return dst
	}
	data = data[b.Offset:]
	if b.Bytes > 0 && b.Bytes < len(data) {
		data = data[:b.Bytes]
	}
	start, bits, n := len(dst), uint32(0), 0
	for i, c := range data {
		v := base64Value[c]
		if v == 64 {
			if b.Mode == rule.RFC2045 && c != '=' {
				continue
			}
			if b.Mode == rule.StrictBase64 && (c != '=' || len(data)-i > 2 || data[len(data)-1] != '=') {
				return dst[:start]
			}
			break
		}
		bits, n = bits<<6|uint32(v), n+6
		if n >= 8 {
			if len(dst) == cap(dst) {
				break
			}
			n -= 8
			dst = append(dst, byte(bits>>n))
		}
	}
	return dst
}

// base64 decodes from the match before or the beginning of the buffer, and tries the items of base64_data on that.
func (x *inspector) base64(it *item) bool {
	from := 0
	if it.relative {
		from = x.at
	}
	if from > len(x.buf) {
		return false
	}
	data := decodeBase64(x.decoded[:0], x.buf[from:], it.decode.base64)
	x.left -= 2 * len(data)
	if x.spent() {
		return false
	}
	if len(data) == 0 {
		return false
	}
	buf, at := x.buf, x.at
	x.buf, x.at = data, 0
	ok := x.from(it.decode.items)
	x.buf, x.at, x.stop = buf, at, x.left < 0
	return ok
}

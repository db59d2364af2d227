package tlsrecord

// Sealer turns what is to be sent into records. It is used by one goroutine. Without keys it changes nothing.
type Sealer struct {
	half
	worn bool
}

// Overhead returns how many bytes n bytes grow by at most.
func Overhead(n int) int { return (n/maxPlain + 1) * (headerSize + 1 + tagSize) }

// Append appends data to dst, in records of up to 16 KiB. dst has room for len(data) and its Overhead, or moves. If
// there is room behind data, the byte there is borrowed for the content type that TLS 1.3 wants behind the content, as
// is the first byte of each further record: that spares a copy. They are put back, but nobody else may look meanwhile.
func (s *Sealer) Append(dst, data []byte) []byte { return s.append(dst, data, typeData) }

// Close appends the alert that ends the sending direction.
func (s *Sealer) Close(dst []byte) []byte {
	if s.aead == nil {
		return dst
	}
	return s.append(dst, []byte{1, closeNotify}, typeAlert)
}

// Worn reports that the key was given up: what was appended since is missing, and the connection must be closed.
func (s *Sealer) Worn() bool { return s.worn }

func (s *Sealer) append(dst, data []byte, kind byte) []byte {
	if s.aead == nil {
		return append(dst, data...)
	}
	for len(data) > 0 {
		n := min(len(data), maxPlain)
		nonce := s.next(n + 1)
		if nonce == nil {
			s.worn = true
			return dst
		}
		sealed := n + 1 + tagSize
		at := len(dst)
		dst = append(dst, typeData, 3, 3, byte(sealed>>8), byte(sealed))
		head := dst[at : at+headerSize]
		if n < cap(data) {
			plain := data[:n+1]
			saved := plain[n]
			plain[n] = kind
			dst = s.aead.Seal(dst, nonce, plain, head)
			plain[n] = saved
		} else {
			start := len(dst)
			dst = append(dst, data[:n]...)
			dst = append(dst, kind)
			dst = s.aead.Seal(dst[:start], nonce, dst[start:], head)
		}
		data = data[n:]
	}
	return dst
}

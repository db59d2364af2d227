package tls

// reader cuts fields off a message. Past its end it is broken, and gives nothing.
type reader struct {
	b      []byte
	broken bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.b, r.broken = nil, true
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

// number reads a big-endian number of n bytes.
func (r *reader) number(n int) (v int) {
	for _, c := range r.take(n) {
		v = v<<8 | int(c)
	}
	return v
}

// vector reads a field behind a length of n bytes.
func (r *reader) vector(n int) []byte { return r.take(r.number(n)) }

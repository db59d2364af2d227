package proto

// AppendState appends what the detector knows to b.
func (d *Detector) AppendState(b []byte) []byte {
	flags := byte(0)
	for i, f := range d.failed {
		if f {
			flags |= 1 << i
		}
	}
	return append(b, byte(d.Proto), flags)
}

// ApplyState replaces what the detector knows by what AppendState wrote at the beginning of b. It returns what follows, and
// whether that was well-formed.
func (d *Detector) ApplyState(b []byte) (rest []byte, ok bool) {
	*d = Detector{}
	if len(b) < 2 || b[0] >= byte(NumProtocols) || b[1] > 3 {
		return b, false
	}
	d.Proto = Protocol(b[0])
	d.failed = [2]bool{b[1]&1 != 0, b[1]&2 != 0}
	return b[2:], true
}

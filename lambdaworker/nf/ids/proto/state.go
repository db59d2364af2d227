package proto

// AppendState appends what the detector knows to b.
func (d *Detector) AppendState(b []byte) []byte {
	flags := byte(0)
	for i, f := range d.failed {
		if f {
			flags |= 1 << i
		}
	}
	b = append(b, byte(d.Proto), flags, d.n[0], d.n[1])
	return append(append(b, d.head[0][:d.n[0]]...), d.head[1][:d.n[1]]...)
}

// ApplyState replaces what the detector knows by what AppendState wrote at the beginning of b. It returns what follows, and
// whether that was well-formed.
func (d *Detector) ApplyState(b []byte) (rest []byte, ok bool) {
	*d = Detector{}
	if len(b) < 4 || b[0] >= byte(NumProtocols) || b[1] > 3 || b[2] > maxProbe || b[3] > maxProbe || len(b) < 4+int(b[2])+int(b[3]) {
		return b, false
	}
	d.Proto = Protocol(b[0])
	d.failed = [2]bool{b[1]&1 != 0, b[1]&2 != 0}
	d.n = [2]uint8{b[2], b[3]}
	b = b[4:]
	b = b[copy(d.head[0][:d.n[0]], b):]
	return b[copy(d.head[1][:d.n[1]], b):], true
}

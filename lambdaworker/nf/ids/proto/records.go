package proto

// Records are what a parser knows of the flows that it follows: one R for each, made when first needed, at most a given number,
// and used again.
type Records[R any] struct {
	of   []uint32 // by flow: its record + 1
	all  []R
	free []uint32
	most int
}

// NewRecords makes room for at most most records of flows whose handles are below flows.
func NewRecords[R any](flows, most int) Records[R] {
	return Records[R]{of: make([]uint32, flows), most: most}
}

// Get lends the record of flow, nil if there is none. It is valid until the next Make.
func (s *Records[R]) Get(flow uint32) *R {
	if i := s.of[flow]; i != 0 {
		return &s.all[i-1]
	}
	return nil
}

// Make lends a new record of a flow that has none, of its zero value; nil if all are in use.
func (s *Records[R]) Make(flow uint32) *R {
	var i uint32
	switch {
	case len(s.free) > 0:
		i = s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
	case len(s.all) < s.most:
		i = uint32(len(s.all))
		var zero R
		s.all = append(s.all, zero)
	default:
		return nil
	}
	s.of[flow] = i + 1
	return &s.all[i]
}

// Drop empties the record of flow, if it has one, and keeps it for another.
func (s *Records[R]) Drop(flow uint32) {
	i := s.of[flow]
	if i == 0 {
		return
	}
	var zero R
	s.all[i-1] = zero
	s.of[flow] = 0
	s.free = append(s.free, i-1)
}

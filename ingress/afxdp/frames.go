package afxdp

// stack is a LIFO list of free frame numbers: the frame freed last is the one still in the cache.
type stack struct {
	free []uint32
}

// newStack holds the numbers first to first+n-1, the first on top.
func newStack(first, n int) stack {
	s := stack{free: make([]uint32, n)}
	for i := range s.free {
		s.free[i] = uint32(first + n - 1 - i)
	}
	return s
}

func (s *stack) len() int { return len(s.free) }

func (s *stack) push(frame uint32) { s.free = append(s.free, frame) } // within capacity: each frame is free once

// pop needs len() > 0.
func (s *stack) pop() uint32 {
	top := len(s.free) - 1
	frame := s.free[top]
	s.free = s.free[:top]
	return frame
}

package arena

import "math/bits"

const (
	minShift  = 8
	maxOrder  = 12
	numOrders = maxOrder + 1

	// MinBlock and MaxBlock bound the capacity of one buffer, in bytes.
	MinBlock = 1 << minShift
	MaxBlock = 1 << (minShift + maxOrder)
)

const (
	nobody   = ^uint32(0)
	freeMark = 0x80 // in Arena.order: the block is on a free list
)

// Buf is a buffer of an Arena. Its zero value is empty and holds no memory. A Buf is an owner: copying it moves it.
type Buf struct {
	at  uint32 // block number + 1, 0 if it holds no memory
	len uint32
}

// Len returns the number of bytes in b.
func (b Buf) Len() int { return int(b.len) }

// Arena is a slab and who has what of it. It is used by one goroutine.
type Arena struct {
	slab  []byte
	order []uint8 // of the block that starts here, with freeMark if it is free
	next  []uint32
	prev  []uint32
	free  [numOrders]uint32
	used  int
	peak  int
	fails uint64
}

// New makes an arena of at least size bytes, rounded up to MaxBlock.
func New(size int) *Arena {
	blocks := max(1, (size+MaxBlock-1)/MaxBlock)
	n := blocks << maxOrder
	a := &Arena{
		slab:  make([]byte, blocks*MaxBlock),
		order: make([]uint8, n), next: make([]uint32, n), prev: make([]uint32, n),
	}
	for i := range a.free {
		a.free[i] = nobody
	}
	for i := blocks - 1; i >= 0; i-- {
		a.push(uint32(i)<<maxOrder, maxOrder)
	}
	return a
}

// Size returns the bytes of the slab.
func (a *Arena) Size() int { return len(a.slab) }

// Used returns the bytes lent out, counted in whole blocks.
func (a *Arena) Used() int { return a.used }

// Peak returns the largest value that Used has had.
func (a *Arena) Peak() int { return a.peak }

// Fails returns how often a request found no block.
func (a *Arena) Fails() uint64 { return a.fails }

// Bytes returns what b holds, valid until b grows or is freed. Appending to the result would write over nobody: its capacity ends with it.
func (a *Arena) Bytes(b Buf) []byte {
	if b.at == 0 {
		return nil
	}
	p := int(b.at-1) << minShift
	return a.slab[p : p+int(b.len) : p+int(b.len)]
}

// Cap returns how many bytes b can hold without moving.
func (a *Arena) Cap(b Buf) int {
	if b.at == 0 {
		return 0
	}
	return MinBlock << a.order[b.at-1]
}

// Reserve makes room for n bytes in all, keeping what b holds. It reports false, and changes nothing, where there is no memory.
func (a *Arena) Reserve(b *Buf, n int) bool {
	if n <= a.Cap(*b) {
		return true
	}
	if n > MaxBlock {
		a.fails++
		return false
	}
	order := 0
	if n > MinBlock {
		order = bits.Len(uint(n-1)) - minShift
	}
	at, ok := a.take(order)
	if !ok {
		a.fails++
		return false
	}
	p := int(at) << minShift
	copy(a.slab[p:p+MinBlock<<order], a.Bytes(*b))
	n = int(b.len)
	a.Free(b)
	b.at, b.len = at+1, uint32(n)
	return true
}

// Append adds data to b. It reports false, and changes nothing, where there is no memory.
func (a *Arena) Append(b *Buf, data []byte) bool {
	if len(data) == 0 {
		return true
	}
	n := int(b.len) + len(data)
	if n > a.Cap(*b) && !a.Reserve(b, n) {
		return false
	}
	p := int(b.at-1) << minShift
	copy(a.slab[p+int(b.len):p+n], data)
	b.len = uint32(n)
	return true
}

// AppendByte adds one byte to b, like Append.
func (a *Arena) AppendByte(b *Buf, c byte) bool {
	n := int(b.len) + 1
	if n > a.Cap(*b) && !a.Reserve(b, n) {
		return false
	}
	a.slab[int(b.at-1)<<minShift+n-1] = c
	b.len = uint32(n)
	return true
}

// Resize sets the length of b to n bytes; new ones are whatever was there before. It reports false where there is no memory.
func (a *Arena) Resize(b *Buf, n int) bool {
	if !a.Reserve(b, n) {
		return false
	}
	b.len = uint32(n)
	return true
}

// Cut removes the first n bytes of b, moving the others down.
func (a *Arena) Cut(b *Buf, n int) {
	if n <= 0 {
		return
	}
	s := a.Bytes(*b)
	if n >= len(s) {
		b.len = 0
		return
	}
	b.len = uint32(copy(s, s[n:]))
}

// Truncate empties b and keeps its memory.
func (a *Arena) Truncate(b *Buf) { b.len = 0 }

// Free gives b's memory back; b is empty afterwards.
func (a *Arena) Free(b *Buf) {
	if b.at == 0 {
		return
	}
	at := b.at - 1
	order := int(a.order[at])
	a.used -= MinBlock << order
	for order < maxOrder {
		buddy := at ^ 1<<order
		if a.order[buddy] != freeMark|uint8(order) {
			break
		}
		a.unlink(buddy, order)
		at &^= 1 << order
		order++
	}
	a.push(at, order)
	*b = Buf{}
}

func (a *Arena) take(order int) (uint32, bool) {
	o := order
	for o < numOrders && a.free[o] == nobody {
		o++
	}
	if o == numOrders {
		return 0, false
	}
	at := a.free[o]
	a.unlink(at, o)
	for o > order {
		o--
		a.push(at+1<<o, o)
	}
	a.order[at] = uint8(order)
	a.used += MinBlock << order
	a.peak = max(a.peak, a.used)
	return at, true
}

func (a *Arena) push(at uint32, order int) {
	a.order[at] = freeMark | uint8(order)
	head := a.free[order]
	a.next[at], a.prev[at] = head, nobody
	if head != nobody {
		a.prev[head] = at
	}
	a.free[order] = at
}

func (a *Arena) unlink(at uint32, order int) {
	n, p := a.next[at], a.prev[at]
	if p == nobody {
		a.free[order] = n
	} else {
		a.next[p] = n
	}
	if n != nobody {
		a.prev[n] = p
	}
	a.order[at] = 0 // it is the inside of a block now, or about to be given an order
}

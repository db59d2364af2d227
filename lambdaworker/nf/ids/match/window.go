package match

// window is four bytes that are looked up at once, their case folded. Of a short pattern it may have three, with one
// before or behind them that may be anything: that byte of the key is 0, which no folded byte is.
type window struct {
	key uint32
	at  int // where in the pattern it begins, from -1
}

// Bytes of a key that may be anything, where wild.
const (
	firstByte = 0x000000ff
	lastByte  = 0xff000000
)

func (w window) wild() bool { return w.key&firstByte == 0 || w.key&lastByte == 0 }

// windowAt returns the window at place at of p, and whether enough of it is p's.
func windowAt(p []byte, at int) (window, bool) {
	w, known := window{at: at}, 0
	for i := range 4 {
		if j := at + i; j >= 0 && j < len(p) {
			w.key |= uint32(p[j]|0x20) << (8 * i)
			known++
		}
	}
	return w, known >= 3
}

// bestWindow returns the window of p least common in traffic among those that begin at places of remainder r by step.
func bestWindow(p []byte, r, step int) (best window) {
	score := -1
	for at := r - step; at < len(p); at += step {
		w, ok := windowAt(p, at)
		if !ok {
			continue
		}
		n := rarity(p[max(at, 0):min(at+4, len(p))])
		switch { // a window of four is better than any of three, unless it is one byte over again: runs of zeros and blanks are everywhere
		case !w.wild() && n == sameByte:
			n++
		case !w.wild():
			n += 100
		}
		if n > score {
			score, best = n, w
		}
	}
	return best
}

// share returns how many bits of a filter the window takes.
func (w window) share() int {
	if w.wild() {
		return 128
	}
	return 1
}

// each calls f for each key that w stands for.
func (w window) each(f func(key uint32)) {
	if !w.wild() {
		f(w.key)
		return
	}
	at := 0
	if w.key&firstByte != 0 {
		at = 24
	}
	for c := range uint32(256) {
		if c&0x20 != 0 {
			f(w.key | c<<at)
		}
	}
}

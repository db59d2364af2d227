package match

import "bytes"

// maxFew is up to how many patterns of two bytes are looked for one by one.
const maxFew = 6

// few is a pattern of two bytes that is looked for by one of them, at the speed of bytes.IndexByte.
type few struct {
	pattern uint32
	anchor  byte // the rarer one, of which there is one case
	at      int  // where in the pattern it stands
}

// findFew makes few of the patterns of two bytes, or returns nil where there are too many, or one of them has no anchor.
func findFew(patterns []Pattern) (all []few) {
	for i, p := range patterns {
		if len(p.Bytes) != 2 {
			continue
		}
		f, best := few{pattern: uint32(i)}, 0
		for at, c := range p.Bytes {
			if p.NoCase && c|0x20 >= 'a' && c|0x20 <= 'z' {
				continue
			}
			if n := rareByte(c); n > best {
				f.anchor, f.at, best = c, at, n
			}
		}
		if best == 0 || len(all) == maxFew {
			return nil
		}
		all = append(all, f)
	}
	return all
}

// rareByte guesses how rare a byte is, 0 for those that are everywhere.
func rareByte(c byte) int {
	switch {
	case c == 0 || c == ' ' || c == '\n' || c >= 'a' && c <= 'z' || c == 0xff:
		return 0
	case c >= '0' && c <= '9' || c == '\r' || c == '.' || c == '/' || c == '<' || c == '>' || c == '"' || c == '=' || c == '-':
		return 1
	case c < 0x80:
		return 2
	}
	return 3
}

func (s *Set) scanFew(data []byte, seen *Seen, hits []uint32) []uint32 {
	for i := range s.few {
		f := &s.few[i]
		p := &s.patterns[f.pattern]
		for at := f.at; at < len(data); at++ {
			n := bytes.IndexByte(data[at:], f.anchor)
			if n < 0 {
				break
			}
			at += n
			from := at - f.at
			if from+2 <= len(data) && Equal(data[from:from+2], p.Bytes, p.NoCase) {
				seen.stamp[f.pattern] = seen.epoch
				hits = append(hits, f.pattern)
				break
			}
			if seen.Ticks -= verifyTicks; seen.Ticks < 0 {
				return hits
			}
		}
	}
	return hits
}

package placer

import (
	"cmp"
	"math"
	"slices"
)

// heavy is the share of a worker's room from which on a sub-flow's place matters: lighter ones fill what is left between them.
const heavy = 1.0 / 16

// Needed returns how many workers of capacity each carry the loads at the target utilisation. Heavy sub-flows are packed, heaviest
// first, into workers that have room; one that is too much for any has one for itself; the others count by their sum. Nothing
// needs none.
func Needed(loads []float64, each, target float64) int {
	room := each * target
	if room <= 0 {
		return 0
	}
	var large []float64
	light, elephants := 0.0, 0
	for _, l := range loads {
		switch {
		case l > room:
			elephants++
		case l > room*heavy:
			large = append(large, l)
		default:
			light += l
		}
	}
	slices.SortFunc(large, func(a, b float64) int { return cmp.Compare(b, a) })
	var left []float64 // room in each worker that has heavy ones
	for _, l := range large {
		at := slices.IndexFunc(left, func(r float64) bool { return r >= l })
		if at < 0 {
			at = len(left)
			left = append(left, room)
		}
		left[at] -= l
	}
	for _, r := range left {
		light -= r
	}
	return elephants + len(left) + int(math.Ceil(max(light/room-1e-9, 0)))
}

package loadbalance

import "math/bits"

// tableSize is a prime, and more than a hundred times the most backends there may be, so that shares are even to a percent
// (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, section 3.4).
const tableSize = 65537

// maglev fills a lookup table: each backend, in turns, takes the next place of its own order that is free. When a backend comes or goes the
// others keep almost all of their places. A backend of weight w has w turns a round; names decide the orders, so their sequence does not matter.
// Without a backend the table is nil.
func maglev(names []string, weights []int, seed uint64) []uint16 {
	var order []int // backends with a turn, by name
	for i := range names {
		if weights[i] > 0 {
			order = append(order, i)
		}
	}
	if len(order) == 0 {
		return nil
	}
	for i := range order {
		for j := i; j > 0 && names[order[j]] < names[order[j-1]]; j-- {
			order[j], order[j-1] = order[j-1], order[j]
		}
	}
	const free = ^uint16(0)
	table := make([]uint16, tableSize)
	for i := range table {
		table[i] = free
	}
	at, skip := make([]uint64, len(names)), make([]uint64, len(names))
	for _, i := range order {
		h := hashName(names[i], seed)
		at[i], skip[i] = h%tableSize, bits.RotateLeft64(h, 32)%(tableSize-1)+1
	}
	for filled := 0; ; {
		for _, i := range order {
			for range weights[i] {
				for table[at[i]] != free {
					at[i] = (at[i] + skip[i]) % tableSize
				}
				table[at[i]] = uint16(i)
				if filled++; filled == tableSize {
					return table
				}
			}
		}
	}
}

func hashName(s string, seed uint64) uint64 {
	h := seed ^ 0x9e3779b97f4a7c15
	for i := range len(s) {
		h = mix(h^uint64(s[i]), 0xa0761d6478bd642f)
	}
	return mix(h, 0xe7037ed1a0b428db)
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x8ebc6af09c88c6e3, b)
	return hi ^ lo
}

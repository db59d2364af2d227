package flowhash

import "testing"

// Neighbouring keys, as scans make them, fill 1024 buckets evenly by the low bits of the hash and by its high ones: chi-squared is
// below twice what chance gives, for several seeds. (It is no cryptographic hash: 1.35 times was seen.)
func TestNeighboursSpread(t *testing.T) {
	const buckets, flows = 1024, 64 * 1024
	for seed := range uint64(8) {
		for _, high := range []bool{false, true} {
			var count [buckets]int
			for i := range uint64(flows) {
				h := Of(&[6]uint64{0, 0x0a000001 + i>>8, 0, 0xc0000201, i << 48, 0}, Derive(seed, 1))
				if high {
					h >>= 54
				}
				count[h%buckets]++
			}
			chi := 0.0
			for _, n := range count {
				d := float64(n) - flows/buckets
				chi += d * d / (flows / buckets)
			}
			if limit := 2.0 * buckets; chi > limit {
				t.Errorf("seed %d, high bits %v: chi-squared %.0f, want at most %.0f", seed, high, chi, limit)
			}
		}
	}
}

// Among flows whose hash by one seed is 0 modulo 16, hashes by the derived seed are as even as among all.
func TestDerivedSeedIsIndependent(t *testing.T) {
	const shards = 16
	var count [shards]int
	n := 0
	for i := uint64(0); n < 16*1000; i++ {
		key := [6]uint64{0, i, 0, 7, i * i, 0}
		if Of(&key, 3)%shards == 0 {
			n++
			count[Of(&key, Derive(3, 1))%shards]++
		}
	}
	for s, c := range count {
		if c < 800 || c > 1200 { // 1000 expected, six standard deviations are 184
			t.Errorf("%d of %d fall on %d", c, n, s)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	key := [6]uint64{0, 0x0a000001, 0, 0xc0000201, 1 << 48, 0}
	for i := range uint64(b.N) {
		key[4] = Of(&key, i)
	}
}

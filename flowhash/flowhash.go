// Package flowhash is the keyed hash of a flow's key: what places a flow in a table, and what chooses its sub-flow and shard.
//
// It is a leaf below packet and state, which know nothing of each other and have to agree on no hash but may as well share one.
package flowhash

import "math/bits"

// Of mixes key with a secret seed by multiply and fold, so that a sender who does not know the seed can't aim flows at one bucket.
func Of(key *[6]uint64, seed uint64) uint64 {
	h := fold(key[0]^seed^0x9e3779b97f4a7c15, key[1]^bits.RotateLeft64(seed, 23)^0xa0761d6478bd642f)
	h = fold(h^key[2]^0xe7037ed1a0b428db, key[3]^bits.RotateLeft64(seed, 41)^0x8ebc6af09c88c6e3)
	return fold(h^key[4]^0x589965cc75374cc3, key[5]^seed^0x1d8e4e27c47d124f)
}

// Derive makes of a seed another one, whose hashes say nothing of those of the first. Whoever keeps in a table only the flows that a
// hash has chosen (a shard's: those of every n-th value) needs it: with the same seed their homes would lie n apart, in clusters.
func Derive(seed, purpose uint64) uint64 {
	return fold(seed^0x2d358dccaa6c78a5, purpose^0x8bb84b93962eacc9)
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

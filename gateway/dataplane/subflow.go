package dataplane

import (
	"fmt"

	"github.com/granule-nf/granule/gateway/dataplane/classify"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/packet"
)

// affinity is what the chains' sub-flows follow beside flows, ByFlow for nothing. Shards have to know a packet's home before its
// chain, so where there are several an address that one chain follows chooses the shard for all, and there can be only one.
func affinity(chains []Chain, shards int) (Affinity, error) {
	first := -1
	for i := range chains {
		switch {
		case chains[i].Affinity == ByFlow:
		case first < 0:
			first = i
		case shards > 1 && chains[i].Affinity != chains[first].Affinity:
			return ByFlow, fmt.Errorf("chains %s and %s: one keeps an inside address at one worker, the other an outside address; with %d queues a gateway can do one of the two: set both ports to one with `ethtool -L DEVICE combined 1`, or give each chain a gateway of its own",
				chains[first].Name, chains[i].Name, shards)
		}
	}
	if first < 0 {
		return ByFlow, nil
	}
	return chains[first].Affinity, nil
}

// flowSpace is how the flows of all chains are shared out: which shard is a packet's home, and which sub-flow a flow belongs to.
type flowSpace struct {
	chains   []Chain
	seed     uint64 // of hashes, the flow table's too
	shard    int    // this one
	shards   int
	affinity Affinity // what chooses among the shards
}

// home is the shard that has a packet's flow, whose hash is given. It does not depend on the packet's chain, and so on nothing that a
// reload changes: shards agree about it at all times.
func (f *flowSpace) home(p *classify.Packet, hash uint64, side ingress.Side) int {
	if f.affinity == ByFlow {
		return int(hash%SubFlows) % f.shards
	}
	return int(f.byAddress(f.affinity, p, side)) % f.shards
}

// subFlow is the sub-flow of a flow of chain, one of those that are at home here.
func (f *flowSpace) subFlow(chain uint8, p *classify.Packet, hash uint64, side ingress.Side) uint16 {
	if chain == classify.NoChain || f.chains[chain].Affinity == ByFlow {
		return f.byFlow(hash)
	}
	return f.byAddress(f.chains[chain].Affinity, p, side)
}

// isHome reports whether a key tells that its flow is in sub-flow sub of chain. Where an address chooses the sub-flow, either end may have it.
func (f *flowSpace) isHome(chain int, sub uint16, key *packet.Key) bool {
	if f.chains[chain].Affinity == ByFlow {
		return f.byFlow(key.Hash(f.seed)) == sub
	}
	return f.ofAddress(key[0], key[1]) == sub || f.ofAddress(key[2], key[3]) == sub
}

// byFlow is the sub-flow of a key, by its hash, in a chain that follows flows. Where another chain's addresses choose the shard, it is
// the next one that is at home here.
func (f *flowSpace) byFlow(hash uint64) uint16 {
	sub := int(hash % SubFlows)
	if f.shards > 1 && f.affinity != ByFlow {
		if sub += f.shard - sub%f.shards; sub >= SubFlows {
			sub -= f.shards
		}
	}
	return uint16(sub)
}

// byAddress is the sub-flow of one of a packet's addresses alone. An ICMP error's key is that of the packet it quotes, so a router's
// error goes where the flow is.
func (f *flowSpace) byAddress(a Affinity, p *classify.Packet, side ingress.Side) uint16 {
	k := p.Key
	source := (a == ByInside) == (side == ingress.Inside)
	if source == p.Reverse { // the endpoint that is wanted is the higher
		k[0], k[1] = k[2], k[3]
	}
	return f.ofAddress(k[0], k[1])
}

func (f *flowSpace) ofAddress(high, low uint64) uint16 {
	k := packet.Key{high, low}
	return uint16(k.Hash(f.seed) % SubFlows)
}

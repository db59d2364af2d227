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

// home is the shard that has a packet's flow. It does not depend on the packet's chain, and so on nothing that a reload changes:
// shards agree about it at all times.
func (s *Shard) home(key *packet.Key, reverse bool, side ingress.Side) int {
	return int(s.spread(s.affinity, key, reverse, side)) % len(s.peers)
}

// subFlow is the sub-flow of a flow of chain, one of those that are at home here.
func (s *Shard) subFlow(chain uint8, key *packet.Key, reverse bool, side ingress.Side) uint16 {
	if chain == classify.NoChain || s.cfg.Chains[chain].Affinity == ByFlow {
		return s.byFlow(key)
	}
	return s.spread(s.cfg.Chains[chain].Affinity, key, reverse, side)
}

// byFlow is the sub-flow of a key in a chain that follows flows. Where another chain's addresses choose the shard, it is the next
// one that is at home here.
func (s *Shard) byFlow(key *packet.Key) uint16 {
	sub := int(key.Hash(s.cfg.Seed) % SubFlows)
	if n := len(s.peers); n > 1 && s.affinity != ByFlow {
		if sub += s.id - sub%n; sub >= SubFlows {
			sub -= n
		}
	}
	return uint16(sub)
}

func (s *Shard) spread(a Affinity, key *packet.Key, reverse bool, side ingress.Side) uint16 {
	k := *key
	if a != ByFlow {
		// Of the address alone. An ICMP error's key is that of the packet it quotes, so a router's error goes where the flow is.
		source := (a == ByInside) == (side == ingress.Inside)
		if source == reverse { // the endpoint that is wanted is the higher
			k[0], k[1] = k[2], k[3]
		}
		k[2], k[3], k[4], k[5] = 0, 0, 0, 0
	}
	return uint16(k.Hash(s.cfg.Seed) % SubFlows)
}

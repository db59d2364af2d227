package defrag

import "encoding/binary"

// bucket spreads keys; an attacker who fills one makes lists as long as Config.Datagrams at the worst.
func (d *Defragmenter) bucket(k *key) *uint32 {
	h := uint64(k.id)*0x9e3779b97f4a7c15 ^ uint64(k.prot)<<7 ^ uint64(k.vlan[0])<<17
	for i := 0; i < 16; i += 8 {
		h = (h ^ binary.LittleEndian.Uint64(k.a[i:])) * 0xa0761d6478bd642f
		h ^= h >> 29
		h = (h ^ binary.LittleEndian.Uint64(k.b[i:])) * 0xe7037ed1a0b428db
		h ^= h >> 32
	}
	return &d.buckets[h&uint64(len(d.buckets)-1)]
}

// find returns the record of k + 1, or 0.
func (d *Defragmenter) find(k *key) uint32 {
	for i := *d.bucket(k); i != 0; i = d.all[i-1].chain {
		if d.all[i-1].key == *k {
			return i
		}
	}
	return 0
}

// begin makes a record for k in flow; the oldest gives way if there is none left.
func (d *Defragmenter) begin(flow uint32, k *key, time int64) uint32 {
	if d.free == 0 {
		d.stats.Evicted++
		d.drop(d.oldest)
	}
	i := d.free
	g := &d.all[i-1]
	d.free = g.chain
	b := d.bucket(k)
	*g = datagram{key: *k, began: time, total: -1, older: d.newest, chain: *b, flow: flow, used: true}
	*b = i
	for g.older != 0 && d.all[g.older-1].began > time { // it came from another instance
		g.newer, g.older = g.older, d.all[g.older-1].older
	}
	if g.older != 0 {
		d.all[g.older-1].newer = i
	} else {
		d.oldest = i
	}
	if g.newer != 0 {
		d.all[g.newer-1].older = i
	} else {
		d.newest = i
	}
	if int(flow) < len(d.of) {
		if g.below = d.of[flow]; g.below != 0 {
			d.all[g.below-1].above = i
		}
		d.of[flow] = i
	}
	return i
}

// drop gives up the datagram of record i - 1.
func (d *Defragmenter) drop(i uint32) {
	flow := d.all[i-1].flow
	d.remove(i)
	d.changed(flow)
}

// remove gives back all that record i - 1 holds.
func (d *Defragmenter) remove(i uint32) {
	g := &d.all[i-1]
	if !g.used {
		return
	}
	for k := g.first; k != 0; {
		next := d.pool[k-1].next
		d.pool[k-1].next, d.freeFragment = d.freeFragment, k
		k = next
	}
	d.arena.Free(&g.head)
	d.arena.Free(&g.data)
	for at := d.bucket(&g.key); *at != 0; at = &d.all[*at-1].chain {
		if *at == i {
			*at = g.chain
			break
		}
	}
	if g.older != 0 {
		d.all[g.older-1].newer = g.newer
	} else {
		d.oldest = g.newer
	}
	if g.newer != 0 {
		d.all[g.newer-1].older = g.older
	} else {
		d.newest = g.older
	}
	if g.below != 0 {
		d.all[g.below-1].above = g.above
	}
	if g.above != 0 {
		d.all[g.above-1].below = g.below
	} else if int(g.flow) < len(d.of) {
		d.of[g.flow] = g.below
	}
	*g = datagram{chain: d.free}
	d.free = i
}

func (d *Defragmenter) changed(flow uint32) {
	if d.cfg.Changed != nil && int(flow) < len(d.of) {
		d.cfg.Changed(flow)
	}
}

// Forget gives up all datagrams of flow, of which nobody is told.
func (d *Defragmenter) Forget(flow uint32) {
	for d.of[flow] != 0 {
		d.remove(d.of[flow])
	}
}

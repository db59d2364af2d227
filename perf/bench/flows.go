package main

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/granule-nf/granule/flowtable"
	"github.com/granule-nf/granule/ingress/packet"
)

// flowFigures are what a million flows cost.
type flowFigures struct {
	Flows        int     `json:"flows"`
	BytesPerFlow float64 `json:"bytes_per_flow"`
	InsertNS     float64 `json:"insert_ns"`
	LookupNS     float64 `json:"lookup_ns"` // in random order
	BurstNS      float64 `json:"burst_ns"`  // a lookup, in bursts
}

const manyFlows = 1 << 20

// measureFlows fills a table with a million flows and looks each up, in random order.
func measureFlows() *flowFigures {
	keys := make([]packet.Key, manyFlows)
	for i := range keys {
		keys[i] = flowKey(uint64(i))
	}
	t := flowtable.New(flowtable.Config{Flows: manyFlows, Seed: 1})
	f := &flowFigures{Flows: manyFlows, BytesPerFlow: float64(t.Bytes()) / manyFlows}
	each := func(began time.Time) float64 { return float64(time.Since(began).Nanoseconds()) / manyFlows }
	began := time.Now()
	for i := range keys {
		t.Get(&keys[i], 1)
	}
	f.InsertNS = each(began)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	began = time.Now()
	for i := range keys {
		t.Get(&keys[i], 2)
	}
	f.LookupNS = each(began)
	var hashes [flowtable.MaxBurst]uint64
	began = time.Now()
	for at := 0; at+flowtable.MaxBurst <= len(keys); at += flowtable.MaxBurst {
		burst := keys[at : at+flowtable.MaxBurst]
		for i := range burst {
			hashes[i] = t.Hash(&burst[i])
		}
		t.Prefetch(hashes[:])
		for i := range burst {
			t.GetHashed(&burst[i], hashes[i], 3)
		}
	}
	f.BurstNS = each(began)
	return f
}

// flowKey is the key of the n-th flow: a TCP packet of it is made and parsed, as the gateway does.
func flowKey(n uint64) (k packet.Key) {
	b := [54]byte{12: 0x08, 14: 0x45, 17: 40, 22: 64, 23: packet.ProtoTCP, 26: 10, 30: 172, 31: 16, 46: 0x50}
	binary.BigEndian.PutUint32(b[26:], 10<<24|uint32(n&0xffffff))
	binary.BigEndian.PutUint16(b[34:], uint16(1024+n>>24))
	binary.BigEndian.PutUint16(b[36:], 443)
	var in packet.Info
	packet.Parse(b[:], len(b), &in)
	in.Key(b[:], &k)
	return k
}

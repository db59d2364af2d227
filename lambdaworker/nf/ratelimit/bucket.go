package ratelimit

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/eve"
)

// bucket is a token bucket: one number, the time at which it is full again if nothing more comes (the generic cell rate algorithm, ITU-T I.371: the
// theoretical arrival time). A packet passes if the bucket then is not further than a burst from full.
type bucket struct {
	full    int64 // 0 is now
	told    int64 // when it was last said that something was limited
	limited int64 // packets
}

// limiter is what both kinds have in common.
type limiter struct {
	from     [2]bool
	affinity nf.Affinity
	perUnit  int64 // what one packet, or one byte, costs: ns in 1/256
	bytes    bool
	slack    int64 // ns: a burst

	passed, limited, limitedBytes int64
}

// back is how far a clock may go back, between packets of several threads, say, and still be taken for the same one.
const back = int64(time.Second)

// pass takes what p costs out of its bucket, and reports whether there was enough.
func (l *limiter) pass(k *bucket, p *nf.Packet) bool {
	cost := l.perUnit
	if l.bytes {
		cost *= int64(min(p.IPLen, 1<<17)) // a jumbogram may claim more than 63 bits hold
	}
	if k.full-p.Time > l.slack+back { // no packet can have made it so: somebody has set the clock back
		k.full = p.Time
	}
	if full := max(k.full, p.Time) + cost>>8; full-p.Time <= l.slack {
		k.full = full
		l.passed++
		return true
	}
	l.limited++
	l.limitedBytes += int64(p.IPLen)
	k.limited++
	return false
}

// tell raises an event for a bucket that limits, once a minute, and reports whether it did. key appends who it is.
func (l *limiter) tell(b *nf.Batch, k *bucket, p *nf.Packet, key func(line []byte) []byte) bool {
	if k.told != 0 && p.Time-k.told < int64(time.Minute) && p.Time >= k.told {
		return false
	}
	k.told = p.Time
	line := eve.Begin(b.Events.Room(), p, "ratelimit")
	line = append(line, `,"ratelimit":{"key":"`...)
	line = key(line)
	b.Events.Commit(eve.End(append(line, `"}`...)))
	return true
}

// append encodes what of a bucket moves: when it is full again, and when it was last told of, 8 bytes each.
func (k *bucket) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(k.full))
	return binary.LittleEndian.AppendUint64(dst, uint64(k.told))
}

var errState = errors.New("not the state of a bucket of this kind")

func decode(data []byte) (k bucket, err error) {
	if len(data) != 16 {
		return k, errState
	}
	k.full, k.told = int64(binary.LittleEndian.Uint64(data)), int64(binary.LittleEndian.Uint64(data[8:]))
	if k.full < 0 || k.told < 0 {
		return bucket{}, errState
	}
	return k, nil
}

// Report tells what passed and what did not.
func (l *limiter) Report(r *nf.Report) {
	r.Counters["passed"] = l.passed
	r.Counters["limited"] = l.limited
	r.Counters["limited_bytes"] = l.limitedBytes
}

// Limited is who was limited, as Report.Top has it.
type Limited struct {
	Key     string `json:"key"`
	Packets int64  `json:"limited_packets"`
}

// most is how many of them are told.
const most = 10

// worst puts the next one in its place among those with most packets limited.
func worst(list []Limited, packets int64, key func() string) []Limited {
	if packets == 0 || len(list) == most && list[most-1].Packets >= packets {
		return list
	}
	if len(list) == most {
		list = list[:most-1]
	}
	list = append(list, Limited{key(), packets})
	for i := len(list) - 1; i > 0 && list[i].Packets > list[i-1].Packets; i-- {
		list[i], list[i-1] = list[i-1], list[i]
	}
	return list
}

package nat

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/eve"
	"github.com/granule-nf/granule/lambdaworker/nf/translate"
)

func appendAddr(line []byte, addr uint64) []byte {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], uint32(addr))
	return netip.AddrFrom4(a).AppendTo(line)
}

func begin(b *nf.Batch, event string, host uint64) []byte {
	line := append(b.Events.Room(), `{"timestamp":"`...)
	line = eve.AppendTime(line, b.Now)
	line = append(line, `","event_type":"nat","nat":{"event":"`...)
	line = append(line, event...)
	line = append(line, `","host":"`...)
	line = appendAddr(line, host)
	return append(line, '"')
}

// leaseEvent says who leased or gave back what: the one line a provider has to keep, and not one per connection (RFC 6888 REQ-12).
func (n *NAT) leaseEvent(event string, host uint64, address, first, last int) {
	if n.b == nil {
		return
	}
	line := begin(n.b, event, host)
	line = append(line, `,"address":"`...)
	line = appendAddr(line, n.pool.addresses[address])
	line = append(line, `","first_port":`...)
	line = strconv.AppendInt(line, int64(first), 10)
	line = append(line, `,"last_port":`...)
	line = strconv.AppendInt(line, int64(last), 10)
	n.b.Events.Commit(append(line, "}}"...))
}

// refusedEvent says that a host got nothing, once a minute and host.
func (n *NAT) refusedEvent(p *nf.Packet, k *translate.Key, why nf.Verdict) {
	h := n.pool.hostOf(k.In().Lo, k[5])
	if h == none {
		return
	}
	x := &n.pool.hosts[h]
	if x.ports == 0 && x.blocks == 0 { // it has nothing, so there is nothing to remember it by: once a minute for all of these
		n.pool.leave(h)
		if p.Time-n.warned < int64(time.Minute) && n.warned != 0 {
			return
		}
		n.warned = p.Time
	} else {
		if p.Time-x.warned < int64(time.Minute) && x.warned != 0 {
			return
		}
		x.warned = p.Time
	}
	line := begin(n.b, "refused", k.In().Lo)
	line = append(line, `,"reason":"`...)
	line = append(line, why.String()...)
	n.b.Events.Commit(append(line, `"}}`...))
}

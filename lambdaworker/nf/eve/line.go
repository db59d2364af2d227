package eve

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Direction says which way within its flow a packet went, once it is known who opened the flow.
type Direction uint8

// Directions.
const (
	Unknown Direction = iota
	ToServer
	ToClient
)

// Context is what the function that raises an event knows beside the packet's headers. The zero value with Tx -1 knows nothing.
type Context struct {
	App       string // app_proto: "http", "dns", "tls"; empty if not known
	Tx        int64  // tx_id of the transaction, from 0; -1 if there is none
	Direction Direction
	Members   []byte // raw JSON members without the outer braces, such as `"http":{"hostname":"a"}`; may be empty
}

// Begin appends the members that every event about a packet starts with: time, flow, port, event type, addresses. The
// caller appends members, each with a comma in front, and finishes with End.
func Begin(dst []byte, p *nf.Packet, eventType string) []byte {
	dst = append(dst, `{"timestamp":"`...)
	dst = AppendTime(dst, p.Time)
	dst = append(dst, '"')
	if p.Kind != packet.NotIP {
		dst = appendUint(dst, `,"flow_id":`, FlowID(p))
	}
	if p.Number > 0 {
		dst = appendUint(dst, `,"pcap_cnt":`, p.Number)
	}
	dst = append(dst, `,"in_iface":"`...)
	dst = append(dst, sideName(p.From)...)
	dst = append(dst, `","event_type":"`...)
	dst = append(dst, eventType...)
	dst = append(dst, '"')
	for i := range min(int(p.VLANs), len(p.VLAN)) {
		if i == 0 {
			dst = append(dst, `,"vlan":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = appendUint(dst, "", uint64(p.VLAN[i]&0xfff))
	}
	if p.VLANs > 0 {
		dst = append(dst, ']')
	}
	if p.Kind != packet.NotIP {
		dst = endpoints(dst, p)
	}
	return append(dst, `,"pkt_src":"wire/pcap"`...)
}

func endpoints(dst []byte, p *nf.Packet) []byte {
	dst = append(dst, `,"src_ip":"`...)
	dst = appendAddr(dst, p.Src(p.Data))
	if p.HasPorts {
		dst = appendUint(dst, `","src_port":`, uint64(p.SrcPort))
	} else {
		dst = append(dst, '"')
	}
	dst = append(dst, `,"dest_ip":"`...)
	dst = appendAddr(dst, p.Dst(p.Data))
	if p.HasPorts {
		dst = appendUint(dst, `","dest_port":`, uint64(p.DstPort))
	} else {
		dst = append(dst, '"')
	}
	dst = append(dst, `,"proto":"`...)
	dst = AppendProto(dst, p.Proto)
	dst = append(dst, '"')
	if p.HasL4 && (p.Proto == packet.ProtoICMP || p.Proto == packet.ProtoICMPv6) {
		dst = appendUint(dst, `,"icmp_type":`, uint64(p.ICMPType))
		dst = appendUint(dst, `,"icmp_code":`, uint64(p.ICMPCode))
	}
	v := uint64(4)
	if p.Kind == packet.IPv6 {
		v = 6
	}
	return appendUint(dst, `,"ip_v":`, v)
}

// End closes the line. Commit adds the newline.
func End(dst []byte) []byte { return append(dst, '}') }

// FlowID returns the flow_id of the packet's flow: 51 bits, which a reader that keeps numbers as doubles does not round. It is
// made of the flow's key alone, so both directions and every worker name the flow alike.
func FlowID(p *nf.Packet) uint64 {
	if p.Kind == packet.NotIP {
		return 0
	}
	if p.Flow != nf.NoFlow {
		return KeyID(&p.Key)
	}
	var k packet.Key // a stage without flows leaves Packet.Key unset
	p.Info.Key(p.Data, &k)
	return KeyID(&k)
}

// KeyID returns the flow_id of the flow with key k.
func KeyID(k *packet.Key) uint64 { return k.Hash(0x6772616e756c65) & (1<<51 - 1) }

func (c *Context) append(dst []byte) []byte {
	if c == nil {
		return dst
	}
	if c.Tx >= 0 {
		dst = appendUint(dst, `,"tx_id":`, uint64(c.Tx))
	}
	if c.App != "" {
		dst = append(dst, `,"app_proto":`...)
		dst = AppendString(dst, c.App)
	}
	switch c.Direction {
	case ToServer:
		dst = append(dst, `,"direction":"to_server"`...)
	case ToClient:
		dst = append(dst, `,"direction":"to_client"`...)
	}
	if len(c.Members) > 0 {
		dst = append(dst, ',')
		dst = append(dst, c.Members...)
	}
	return dst
}

func sideName(s nf.Side) string {
	if s == nf.Inside {
		return "inside"
	}
	return "outside"
}

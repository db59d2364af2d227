package eve

import (
	"net/netip"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// FlowRecord is what a function says about a flow that ended. Client and Server are the endpoint that opened it and the other.
type FlowRecord struct {
	Key            *packet.Key // for flow_id
	From           nf.Side     // where its first packet arrived
	Client, Server netip.AddrPort
	Proto          uint8
	App            string // may be empty
	Packets, Bytes [2]uint64
	Start, End     int64  // ns since the Unix epoch, of the first and the last packet
	State          string // "new", "established", "closed", "bypassed"
	Reason         string // "timeout", "forced", "shutdown"
	Alerted        bool
	TCPFlags       [2]uint8 // or of all flags seen
}

// AppendFlow appends an event of type flow, dated now. Index 0 of the pairs is to the server, 1 to the client.
func AppendFlow(dst []byte, now int64, f *FlowRecord) []byte {
	dst = append(dst, `{"timestamp":"`...)
	dst = AppendTime(dst, now)
	dst = appendUint(dst, `","flow_id":`, KeyID(f.Key))
	dst = append(dst, `,"in_iface":"`...)
	dst = append(dst, sideName(f.From)...)
	dst = append(dst, `","event_type":"flow"`...)
	if ids, n := f.Key.VLANs(); n > 0 {
		dst = appendUint(dst, `,"vlan":[`, uint64(ids[0]))
		if n > 1 {
			dst = appendUint(dst, ",", uint64(ids[1]))
		}
		dst = append(dst, ']')
	}
	dst = append(dst, `,"src_ip":"`...)
	dst = f.Client.Addr().AppendTo(dst)
	ports := f.Proto == packet.ProtoTCP || f.Proto == packet.ProtoUDP || f.Proto == packet.ProtoSCTP
	if ports {
		dst = appendUint(dst, `","src_port":`, uint64(f.Client.Port()))
		dst = append(dst, `,"dest_ip":"`...)
	} else {
		dst = append(dst, `","dest_ip":"`...)
	}
	dst = f.Server.Addr().AppendTo(dst)
	if ports {
		dst = appendUint(dst, `","dest_port":`, uint64(f.Server.Port()))
		dst = append(dst, `,"proto":"`...)
	} else {
		dst = append(dst, `","proto":"`...)
	}
	dst = AppendProto(dst, f.Proto)
	dst = append(dst, '"')
	if f.App != "" {
		dst = append(dst, `,"app_proto":`...)
		dst = AppendString(dst, f.App)
	}
	dst = appendUint(dst, `,"flow":{"pkts_toserver":`, f.Packets[0])
	dst = appendUint(dst, `,"pkts_toclient":`, f.Packets[1])
	dst = appendUint(dst, `,"bytes_toserver":`, f.Bytes[0])
	dst = appendUint(dst, `,"bytes_toclient":`, f.Bytes[1])
	dst = append(dst, `,"start":"`...)
	dst = AppendTime(dst, f.Start)
	dst = append(dst, `","end":"`...)
	dst = AppendTime(dst, f.End)
	dst = appendUint(dst, `","age":`, uint64(max(f.End-f.Start, 0))/1e9)
	dst = append(dst, `,"state":`...)
	dst = AppendString(dst, f.State)
	dst = append(dst, `,"reason":`...)
	dst = AppendString(dst, f.Reason)
	dst = appendBool(dst, `,"alerted":`, f.Alerted)
	dst = append(dst, '}')
	if f.Proto == packet.ProtoTCP {
		dst = append(dst, `,"tcp":{"tcp_flags":"`...)
		dst = appendHex(dst, f.TCPFlags[0]|f.TCPFlags[1])
		dst = append(dst, `","tcp_flags_ts":"`...)
		dst = appendHex(dst, f.TCPFlags[0])
		dst = append(dst, `","tcp_flags_tc":"`...)
		dst = appendHex(dst, f.TCPFlags[1])
		dst = append(dst, `"}`...)
	}
	return End(dst)
}

func appendHex(dst []byte, b uint8) []byte { return append(dst, hexDigits[b>>4], hexDigits[b&15]) }

package ids

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/detect"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// packet inspects n.p, a packet that is no fragment. If it is a tunnel's, what it carries is no payload of its own.
func (n *IDS) packet(handle uint32, tunnel bool) {
	p := n.p
	n.view(p)
	if tunnel {
		n.v.Payload, n.v.Wire = nil, 0
	}
	n.startPacket(handle)
	if handle == nf.NoFlow || !hasFlow(p) {
		n.v.First = true
		n.inspect(nf.NoFlow)
		return
	}
	f := &n.flows[handle]
	if !f.used {
		n.newFlow(handle).reverse = p.Reverse
	}
	if f.dropped && n.ips {
		n.stats.DroppedFlow++
		n.b.Drop(n.i, nf.DropIDSFlow)
		return
	}
	n.b.Touch(handle)
	n.show(handle, f)
	switch p.Proto {
	case packet.ProtoTCP:
		n.tcp(handle, f)
		return
	case packet.ProtoUDP:
		n.udp(handle, f)
		return
	}
	n.direct(f)
	n.count(f)
	n.v.Established = f.seen[0] && f.seen[1]
	n.judge(handle, f)
}

// hasFlow reports whether a packet is of a protocol that has flows, as Suricata has it, and its headers can be read.
func hasFlow(p *nf.Packet) bool {
	switch p.Proto {
	case packet.ProtoTCP, packet.ProtoUDP:
		return p.HasL4 && p.Problem == packet.OK
	case packet.ProtoICMP, packet.ProtoICMPv6, packet.ProtoSCTP, packet.ProtoESP:
		return true
	}
	return p.Proto == 41 && p.Kind == packet.IPv4
}

// view fills the engine's view with what the packet's headers say.
func (n *IDS) view(p *nf.Packet) {
	n.v = detect.Packet{Info: &p.Info, Data: p.Data, Src: p.Src(p.Data), Dst: p.Dst(p.Data)}
	if p.HasL4 && p.FragOff == 0 && p.Problem == packet.OK {
		switch p.Proto {
		case packet.ProtoICMP:
			if size := icmpHeader(p); size > 8 {
				n.bare = p.Info
				n.bare.Payload = p.L4 + uint16(size)
				n.v.Info = &n.bare
			}
			fallthrough
		case packet.ProtoTCP, packet.ProtoUDP, packet.ProtoICMPv6, packet.ProtoSCTP:
			n.v.Payload, n.v.Wire = n.v.Info.Bytes(p.Data), n.v.Info.PayloadLen()
		}
	}
}

// icmpHeader returns the length of an ICMP message's header: router advertisements have their addresses in it (RFC 1256), time
// stamps their times (RFC 792).
func icmpHeader(p *nf.Packet) int {
	size := 8
	switch h := p.Data[p.L4:min(int(p.End), len(p.Data))]; p.ICMPType {
	case 9:
		if len(h) >= 8 {
			size += int(h[4]) * int(h[5]) * 4
		}
	case 13, 14:
		size = 20
	}
	if int(p.L4)+size > min(int(p.End), len(p.Data)) {
		return 8
	}
	return size
}

// direct sets the packet's direction by who sent the flow's first packet.
func (n *IDS) direct(f *flow) {
	n.v.Dir = proto.ToServer
	if n.p.Reverse != f.reverse {
		n.v.Dir = proto.ToClient
	}
	f.seen[n.v.Dir] = true
}

// judge inspects the packet with what its flow adds, unless a rule said that nothing more is to be done.
func (n *IDS) judge(handle uint32, f *flow) {
	d := n.v.Dir
	n.v.App = apps[f.app.Proto]
	if f.passed {
		return
	}
	n.v.First = !f.first[d]
	f.first[d] = true
	n.know(f)
	n.inspect(handle)
}

// know has the rules on the application protocol alone tried once a direction, as soon as it is known.
func (n *IDS) know(f *flow) {
	if d := n.v.Dir; n.v.App != rule.AnyApp && !f.known[d] {
		f.known[d], n.v.Known = true, true
	}
}

// apps are protocols as rules have them.
var apps = [proto.NumProtocols]rule.App{proto.Failed: rule.AppFailed, proto.HTTP: rule.AppHTTP, proto.DNS: rule.AppDNS, proto.TLS: rule.AppTLS,
	proto.FTP: rule.AppFTP, proto.SMTP: rule.AppSMTP, proto.SMB: rule.AppSMB, proto.SSH: rule.AppSSH}

// wellKnown is above the ports that servers are given (RFC 6335 section 6).
const wellKnown = 1024

// fromServer guesses who sent a segment of a session whose beginning was not seen: by what it says, else by the ports.
func fromServer(p *nf.Packet, payload []byte) bool {
	var asClient, asServer proto.Detector
	client := asClient.TCP(proto.ToServer, payload, p.SrcPort, p.DstPort) > proto.Failed
	server := asServer.TCP(proto.ToClient, payload, p.DstPort, p.SrcPort) > proto.Failed
	if client != server { // both sides of some begin alike
		return server
	}
	return p.SrcPort < wellKnown && p.DstPort >= wellKnown
}

func (n *IDS) tcp(handle uint32, f *flow) {
	p := n.p
	if !n.seg.Read(&p.Info, p.Data, p.Reverse, p.Time) {
		n.direct(f)
		n.count(f)
		n.judge(handle, f)
		return
	}
	n.seg.BadChecksum = n.csum.bad(&p.Info, p.Data)
	n.seg.FromServer = n.midstream && !f.tracked && fromServer(p, n.seg.Payload)
	if n.seg.BadChecksum {
		n.stats.BadChecksum++
	}
	if n.inline && !n.ips && len(n.seg.Payload) > 0 {
		// A watcher must not change the packet; what would be rewritten is rewritten in a copy.
		n.scratch = append(n.scratch[:0], n.seg.Payload...)
		n.seg.Payload = n.scratch
	}
	n.streams.Packet(handle, &n.seg, &n.res)
	r := &n.res
	if r.New && f.tracked {
		// The ports are used again: another flow.
		n.dropParsers(handle)
		n.newFlow(handle).reverse = p.Reverse
	}
	if !r.Tracked {
		n.direct(f)
		n.count(f)
		n.judge(handle, f)
		return
	}
	if r.Rewritten {
		n.stats.Rewritten++
		switch {
		case n.ips && p != &n.b.Packets[n.i]:
			n.b.Drop(n.i, nf.DropIDS) // what carries it has checksums and fragments of its own; the bytes have passed before
		case n.ips:
			h := packet.TCPHeader(p.Data[p.L4:min(int(p.End), len(p.Data))])
			h.SetChecksum(n.v.Src, n.v.Dst)
			n.b.Change(n.i, nf.Full)
		}
	}
	f.tracked, f.last = true, p.Time
	if !n.inline {
		n.quiet.spoke(handle)
	}
	d := r.Dir
	n.v.Dir, f.seen[d] = d, true
	n.count(f)
	n.show(handle, f)
	n.v.Payload = n.seg.Payload
	n.v.Established, n.v.InStream = r.WasEstablished, r.Data
	if f.passed {
		n.streams.Ignore(handle, proto.ToServer)
		n.streams.Ignore(handle, proto.ToClient)
		return
	}
	if n.inline {
		n.drain(handle, f, d)
	} else if r.Established {
		n.drain(handle, f, d.Opposite()) // what this packet acknowledges
	}
	n.raw(handle, d)
	n.judge(handle, f)
	n.looked(handle, d)
	if f.tunnel {
		n.tunnel(handle, f, d)
	}
	if r.Closed && !f.closed && !f.dropped && !f.passed {
		f.closed = true
		n.finish(handle, f, p.Time)
	}
}

// raw takes what of the stream is due for a look.
func (n *IDS) raw(handle uint32, d proto.Dir) {
	n.trigger(handle, d)
	data, fresh, offset, due := n.streams.Raw(handle, d)
	if !due || len(data) == 0 {
		return
	}
	f := &n.flows[handle]
	n.v.Stream, n.v.StreamDue, n.v.StreamFrom = data, true, 0
	if fresh > 0 && f.scanned[d] {
		// Inline, most bytes were scanned with the packets before.
		n.v.StreamFrom = max(0, fresh-n.engine.Overlap())
	}
	n.v.StreamWhole = offset < f.hitTo[d]
	n.rawEnd = offset + uint64(len(data))
}

// looked ends the look at the stream; where it goes on behind a gap, the next piece follows.
func (n *IDS) looked(handle uint32, d proto.Dir) {
	f := &n.flows[handle]
	for n.v.StreamDue {
		n.streams.RawDone(handle, d)
		f.scanned[d] = true
		if n.v.StreamHit {
			f.hitTo[d] = n.rawEnd
		}
		n.v.Stream, n.v.StreamDue, n.v.StreamHit = nil, false, false
		if n.raw(handle, d); n.v.StreamDue {
			n.v.Again = true
			n.inspect(handle)
		}
	}
}

func (n *IDS) udp(handle uint32, f *flow) {
	n.direct(f)
	n.v.Established = f.seen[0] && f.seen[1]
	if len(n.v.Payload) > 0 && f.app.Proto == proto.Unknown {
		c, s := n.p.SrcPort, n.p.DstPort
		if n.v.Dir == proto.ToClient {
			c, s = s, c
		}
		f.app.Proto = proto.UDP(n.v.Payload, c, s)
		if f.app.Proto == proto.DNS && n.v.Dir == proto.ToServer && len(n.v.Payload) > 2 && n.v.Payload[2]&0x80 != 0 {
			// The first message is an answer: whoever sent it is the server.
			f.reverse, f.seen = !f.reverse, [2]bool{}
			f.counts.Swap()
			n.direct(f)
		}
	}
	n.count(f)
	n.judge(handle, f)
}

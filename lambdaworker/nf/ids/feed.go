package ids

import (
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/stream"
)

// drain gives what the stream of a direction has to hand out to the flow's parser, and reports whether there was any.
func (n *IDS) drain(handle uint32, f *flow, d proto.Dir) (fresh bool) {
	var c stream.Chunk
	for n.streams.Next(handle, d, &c) {
		switch {
		case len(c.Data) > 0:
			n.feed(handle, f, d, c.Data)
			fresh = true
		case c.Gap > 0:
			n.gap(handle, f, d, c.Gap)
		}
		if c.End {
			n.end(handle, f, d)
		}
	}
	return fresh
}

func (n *IDS) feed(handle uint32, f *flow, d proto.Dir, data []byte) {
	if f.app.Proto == proto.Unknown {
		client, server := n.ports(d)
		if f.app.TCP(d, data, client, server) == proto.Unknown {
			return
		}
		if f.app.Proto == proto.Failed {
			return
		}
		// Both directions may have waited for the decision.
		for _, w := range [2]proto.Dir{d.Opposite(), d} {
			if b := f.app.Pending(w); len(b) > 0 {
				n.parse(handle, f, w, b)
				f.app.Given(w)
			}
		}
	}
	n.parse(handle, f, d, data)
}

// ports returns the ports of client and server.
func (n *IDS) ports(proto.Dir) (client, server uint16) {
	if n.v.Dir == proto.ToServer {
		return n.p.SrcPort, n.p.DstPort
	}
	return n.p.DstPort, n.p.SrcPort
}

func (n *IDS) parse(handle uint32, f *flow, d proto.Dir, data []byte) {
	switch f.app.Proto {
	case proto.HTTP:
		n.http.Feed(handle, d, data)
	case proto.TLS:
		n.tls.Feed(handle, d, data)
	case proto.DNS:
		n.dns.Feed(handle, d, data)
		for {
			m, ok := n.dns.Next()
			if !ok {
				return
			}
			n.dnsMessage(handle, f, d, m)
		}
	}
}

func (n *IDS) gap(handle uint32, f *flow, d proto.Dir, size uint64) {
	n.stats.Gaps++
	switch f.app.Proto {
	case proto.Unknown:
		f.app.GiveUp(d)
	case proto.HTTP:
		n.http.Gap(handle, d, size)
	case proto.TLS:
		n.tls.Gap(handle, d, size)
	case proto.DNS:
		n.dns.Gap(handle, d)
	}
}

func (n *IDS) end(handle uint32, f *flow, d proto.Dir) {
	switch f.app.Proto {
	case proto.Unknown:
		f.app.GiveUp(d)
	case proto.HTTP:
		n.http.Close(handle, d)
	}
}

// trigger makes a look at the stream due where a message of the parser has ended.
func (n *IDS) trigger(handle uint32, d proto.Dir) {
	if n.flows[handle].app.Proto != proto.HTTP {
		return
	}
	for slot := n.http.First(handle); slot != none; slot = n.http.Next(slot) {
		if t := n.httpState(slot); !t.Triggered[d] && n.http.Tx(slot).Progress(d) == httpDone {
			t.Triggered[d] = true
			n.streams.Trigger(handle, d)
		}
	}
}

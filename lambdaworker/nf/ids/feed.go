package ids

import (
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/stream"
)

// drain gives what the stream of a direction has to hand out to the flow's parser, and reports whether there was any. Bytes of
// which nobody can tell yet what they are stay in the stream.
func (n *IDS) drain(handle uint32, f *flow, d proto.Dir) (fresh bool) {
	var c stream.Chunk
	for n.streams.Next(handle, d, &c) {
		switch {
		case len(c.Data) > 0:
			left := n.feed(handle, f, d, &c)
			fresh = fresh || left < len(c.Data)
			if left > 0 {
				n.streams.Unread(handle, d, left)
				return fresh
			}
		case c.Gap > 0:
			n.gap(handle, f, d, c.Gap)
		}
		if c.End {
			n.end(handle, f, d)
		}
	}
	return fresh
}

// feed gives a chunk to the parser of the flow's protocol, once that is known, and returns how many bytes are to wait.
func (n *IDS) feed(handle uint32, f *flow, d proto.Dir, c *stream.Chunk) (left int) {
	if f.app.Proto == proto.Unknown {
		client, server := n.ports(d)
		switch f.app.TCP(d, c.Data, client, server) {
		case proto.Unknown:
			if c.Last || c.Broken {
				f.app.GiveUp(d)
			}
			if c.Broken || f.app.Proto == proto.Failed {
				return 0
			}
			return len(c.Data)
		case proto.Failed:
			return 0
		}
		n.overdue(handle, f, d.Opposite())
	}
	if left = n.parse(handle, f, d, c.Data); c.Broken || left > proto.MaxUndecided {
		return 0
	}
	return left
}

// overdue gives the parser what the other direction said while it was not known what that is.
func (n *IDS) overdue(handle uint32, f *flow, d proto.Dir) {
	var c stream.Chunk
	if d == proto.ToClient && f.app.Foreign(d) && n.streams.Next(handle, d, &c) {
		return // a server that speaks first, and otherwise: no answer to anything
	}
	n.drain(handle, f, d)
}

// ports returns the ports of client and server.
func (n *IDS) ports(proto.Dir) (client, server uint16) {
	if n.v.Dir == proto.ToServer {
		return n.p.SrcPort, n.p.DstPort
	}
	return n.p.DstPort, n.p.SrcPort
}

// parse returns how many bytes at the end of data are to wait.
func (n *IDS) parse(handle uint32, f *flow, d proto.Dir, data []byte) (left int) {
	switch f.app.Proto {
	case proto.HTTP:
		waited := n.http.Waits(handle)
		left = n.http.Feed(handle, d, data)
		switch {
		case n.http.Tunnel(handle):
			f.tunnel = true
		case waited && !n.http.Waits(handle):
			n.drain(handle, f, proto.ToServer) // the proxy refused; what its client said meanwhile is for it
		}
	case proto.TLS:
		n.tls.Feed(handle, d, data)
	case proto.DNS:
		n.dns.Feed(handle, d, data)
		for {
			m, ok := n.dns.Next()
			if !ok {
				return 0
			}
			n.dnsMessage(handle, f, d, m)
		}
	}
	return left
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

package ids

import (
	"slices"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/eve"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/defrag"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/detect"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/dns"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/http"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/stream"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/tls"
	"github.com/granule-nf/granule/lambdaworker/state"
)

func init() {
	nf.Register(nf.Type{Name: "ids", Doc: "Suricata's rules on packets, streams, HTTP/1, DNS and TLS: alerts, and drops in mode ips.", New: New})
}

// IDS is the network function.
type IDS struct {
	ips            bool   // drop what drop and reject rules hit
	rejects        bool   // a rule that is used makes frames
	midstream      bool   // pick up sessions whose beginning was not seen
	inline         bool   // streams are inspected as they arrive
	scratchMembers []byte // of an event
	gaveUpEvents   int    // of the batch
	scratch        []byte // a payload that may be rewritten for inspection but not in the packet

	engine  *detect.Engine
	summary Summary
	arena   *arena.Arena
	streams *stream.Tracker
	frags   *defrag.Defragmenter
	http    *http.Parser
	tls     *tls.Parser
	dns     *dns.Streams
	message dns.Message

	table  *state.Table
	quiet  quiet
	flows  []flow
	born   uint64           // flows so far
	httpTx []httpState      // by http.Tx.Slot
	tlsTx  []detect.TxState // by flow
	dnsTx  detect.TxState
	views  views
	csum   checksums
	stats  Stats

	inherited counters // of predecessors
	sent      counters // what others know

	// Of the packet in hand.
	b       *nf.Batch
	i       uint16 // its index in b; meaningless for the pseudo packets of a flow's end
	p       *nf.Packet
	v       detect.Packet
	seg     stream.Segment
	res     stream.Result
	outcome detect.Outcome
	rawEnd  uint64 // where in its direction the stream that is looked at ends
	pseudo  pseudo
	nested  [2 * maxNested]nf.Packet // by depth: a datagram put together, what a tunnel's packet carries
	bare    packet.Info              // headers as rules are to see them
	last    nf.Packet                // stands for the packet at the end of a capture
	ctx     eve.Context
	answer  [reserve]byte
}

// reserve is room for the largest frame that a reject rule sends.
const reserve = 14 + 8 + 40 + 8 + 128

// New makes the function from its options.
func New(s nf.Setup) (nf.NF, error) {
	var o options
	if err := s.Options.Decode(&o); err != nil {
		return nil, err
	}
	if err := o.validate(&s); err != nil {
		return nil, err
	}
	rules, sum, err := load(&s, &o)
	if err != nil {
		return nil, err
	}
	flows := s.Flows.Cap()
	n := &IDS{ips: o.Mode == "ips", summary: sum, scratch: make([]byte, 0, 1<<16), scratchMembers: make([]byte, 0, 32<<10)}
	n.inline, n.midstream = n.ips, o.Midstream
	n.rejects = slices.ContainsFunc(rules, func(r *rule.Rule) bool { return r.Action >= rule.Reject && r.Action <= rule.RejectBoth })
	if o.StreamInline != nil {
		n.inline = *o.StreamInline
	}
	n.engine = detect.New(rules, detect.Config{Records: max(4096, min(4*flows, 1<<17)), Limits: 1 << 14})
	n.csum.mode = o.Checksum
	memory := o.Memory << 20
	if memory == 0 {
		memory = max(16<<20, min(flows*2048, 96<<20))
	}
	n.arena = arena.New(memory)
	depth := uint32(stream.DefaultDepth)
	if o.StreamDepth != nil {
		depth = uint32(*o.StreamDepth)
	}
	n.streams = stream.New(stream.Config{Flows: flows, Arena: n.arena, Depth: depth, Inline: n.inline, Midstream: o.Midstream, Raw: n.engine.Streams()})
	n.frags = defrag.New(defrag.Config{Arena: n.arena, Flows: flows, Changed: n.touch})
	cfg := http.Config{Flows: flows, Arena: n.arena, Connections: flows, Transactions: 2 * flows, Inline: n.inline}
	if o.Layers != nil {
		cfg.DecompressLayers = *o.Layers
	}
	cfg.RequestBodyLimit, cfg.ResponseBodyLimit = bodyLimit(o.RequestBody), bodyLimit(o.ResponseBody)
	n.http = http.New(cfg)
	n.tls = tls.New(tls.Config{Flows: flows, Arena: n.arena})
	n.dns = dns.NewStreams(flows, n.arena)
	n.flows, n.table, n.quiet = make([]flow, flows), s.Flows, newQuiet(flows)
	n.httpTx = make([]httpState, cfg.Transactions)
	n.tlsTx = make([]detect.TxState, flows)
	n.views.init(n)
	return n, nil
}

// bodyLimit: 0 is Suricata's word for no limit.
func bodyLimit(n *int) int {
	switch {
	case n == nil:
		return 0
	case *n == 0:
		return http.Unlimited
	}
	return *n
}

// Rules returns which rules are in use and which are not.
func (n *IDS) Rules() Summary { return n.summary }

// Needs implements nf.NF.
func (n *IDS) Needs() nf.Needs {
	w := nf.Needs{Reads: nf.Full, Flows: true}
	if n.ips {
		w.Writes, w.Injects = nf.Full, n.rejects // segments that overlap otherwise than before are normalized
	}
	return w
}

// Process implements nf.NF.
func (n *IDS) Process(b *nf.Batch) {
	n.b, n.gaveUpEvents = b, 0
	n.engine.StartBatch()
	n.lookAtQuiet(b.Now)
	for _, i := range b.Live {
		p := &b.Packets[i]
		if p.Kind == packet.NotIP || p.Problem != packet.OK && p.Problem <= packet.BadIPLength {
			n.stats.Unreadable++
			continue
		}
		n.i, n.p = i, p
		n.stats.Packets++
		n.look(0)
	}
}

// Command hostile is a worker's artifact for tests that joins as it should, passes what it is sent, and attacks the gateway in a mode that the
// test names, once it has answered some batches. Beside it lies orders.json: {"Chain": whose workers attack, "Mode": how}.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/state"
	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

const (
	credit = 4 << 20
	// honest is after how many batches the attack begins, and every how many it is repeated.
	honest = 20
)

type orders struct{ Chain, Mode string }

func main() {
	lambda.Start(func(ctx context.Context, payload json.RawMessage) error {
		var inv wire.Invocation
		var stage struct{ Chain string }
		var o orders
		self, err := os.Executable()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(filepath.Join(filepath.Dir(self), "orders.json"))
		if err := errors.Join(err, json.Unmarshal(text, &o), json.Unmarshal(payload, &inv), json.Unmarshal(inv.Stage, &stage)); err != nil {
			return err
		}
		if stage.Chain != o.Chain {
			o.Mode = ""
		}
		done := make(chan error, inv.Connections)
		for shard := range inv.Connections {
			go func() { done <- serve(ctx, &inv, uint16(shard), o.Mode) }()
		}
		return <-done
	})
}

// worker is one joined connection.
type worker struct {
	c       net.Conn
	s       *tlsrecord.Session
	in      *tlsrecord.Inbox
	batches int
	mode    string
}

func serve(ctx context.Context, inv *wire.Invocation, shard uint16, mode string) error {
	c, err := net.Dial("tcp", inv.Gateways[0])
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := tlsrecord.Client(ctx, c, inv.GatewayKey, wire.ALPN)
	if err != nil {
		return err
	}
	binding, err := s.Export(wire.ExporterLabel, wire.JoinContext(inv.Worker, inv.Epoch, shard), wire.ProofSize)
	if err != nil {
		return err
	}
	hello := wire.Hello{Version: wire.Version, Worker: inv.Worker, Epoch: inv.Epoch, Shard: shard, Credit: credit, Proof: wire.Proof(inv.Token, binding)}
	w := &worker{c: c, s: s, in: tlsrecord.NewInbox(s.Open, wire.MaxFrame, 0), mode: mode}
	if err := w.send(hello.Append(nil)); err != nil {
		return err
	}
	for {
		n, err := c.Read(w.in.Space())
		if err != nil {
			return err
		}
		if fault := w.in.Filled(n); fault != tlsrecord.FaultNone {
			return errors.New(fault.String())
		}
		for len(w.in.Bytes()) >= wire.HeaderSize {
			h, _ := wire.ParseHeader(w.in.Bytes())
			size := wire.HeaderSize + int(h.Length)
			if len(w.in.Bytes()) < size {
				w.in.Need(size)
				break
			}
			if err := w.frame(h, w.in.Bytes()[wire.HeaderSize:size]); err != nil {
				return err
			}
			w.in.Consume(size)
		}
	}
}

func (w *worker) send(frames []byte) error {
	_, err := w.c.Write(w.s.Seal.Append(nil, frames))
	return err
}

func (w *worker) frame(h wire.Header, body []byte) error {
	switch h.Type {
	case wire.TypeBatch:
		return w.batch(h, body)
	case wire.TypePing:
		t, _ := wire.ParseTime(body)
		return w.send(wire.AppendTime(nil, wire.TypePong, t, credit))
	case wire.TypeReportRequest:
		return w.send(wire.AppendReport(nil, []byte(`{"nfs":[]}`), h.Sequence, credit))
	case wire.TypeBye, wire.TypeRetire:
		return errors.New("dismissed")
	}
	return nil
}

// batch passes all packets; where an attack is due, not as it should.
func (w *worker) batch(h wire.Header, body []byte) error {
	var b wire.Batch
	if fault := b.Parse(h, body); fault != wire.FaultNone {
		return errors.New(fault.String())
	}
	w.batches++
	attack := w.mode
	if w.batches%honest != 0 {
		attack = ""
	}
	var r wire.ResultWriter
	sequence := h.Sequence
	if attack == "result-never-asked" {
		sequence += 1000
	}
	r.Begin(nil, sequence, credit)
	delta := r.BeginState()
	var p wire.BatchPacket
	first, n := wire.BatchPacket{}, 0
	for b.Next(&p) {
		if n == 0 {
			first = p
		}
		n++
	}
	if attack == "forged-state" {
		delta = forge(delta)
	}
	r.EndState(delta)
	for range n {
		r.Verdict(0)
	}
	frame := append(bytes.Clone(first.Data), make([]byte, max(0, 60-len(first.Data)))...)
	switch attack {
	case "rewrite":
		frame[len(first.Data)-1] ^= 0xff
		r.Rewritten(0, wire.RewroteHeaders, frame[:len(first.Data)])
	case "rewrite-to-nothing":
		r.Rewritten(0, wire.RewroteWhole, nil)
	case "broadcast":
		copy(frame, "\xff\xff\xff\xff\xff\xff")
		for range 100 {
			r.Injected(0, wire.Inside, frame)
		}
	}
	out, _ := r.End()
	if err := w.send(out); err != nil {
		return err
	}
	switch attack {
	case "frames":
		skip := wire.Header{Type: 200, Flags: wire.FlagSkip}.Append(nil)
		return w.flood(w.s.Seal.Append(nil, bytes.Repeat(skip, 1000)), func() []byte { return w.s.Seal.Append(nil, bytes.Repeat(skip, 1000)) })
	case "records":
		head := append(wire.Header{Type: 200, Flags: wire.FlagSkip, Length: 1 << 20}.Append(nil), make([]byte, 1<<20)...)
		return w.flood(nil, func() (out []byte) {
			for range min(1000, len(head)) {
				out, head = w.s.Seal.Append(out, head[:1]), head[1:]
			}
			return out
		})
	case "events":
		line := append(append([]byte(`{"event_type":"alert","x":"`), bytes.Repeat([]byte("x"), 3<<20)...), "\"}\n"...)
		small := bytes.Repeat([]byte("{\"event_type\":\"alert\"}\n\x1b[2J\n"), 4096)
		for range 100 {
			if err := w.send(wire.AppendEvents(wire.AppendEvents(nil, line, 1<<32-1, credit), small, 1<<32-1, credit)); err != nil {
				return err
			}
		}
	}
	return nil
}

// flood writes what next makes until the gateway has enough.
func (w *worker) flood(first []byte, next func() []byte) error {
	if _, err := w.c.Write(first); err != nil {
		return err
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		if _, err := w.c.Write(next()); err != nil {
			return err
		}
	}
	return nil
}

// forge appends state of 5,000 flows of every sub-flow there is.
func forge(delta []byte) []byte {
	for n := range uint64(5000) {
		key := packet.Key{0, n, 0, n + 1, n << 48}
		delta = state.Append(delta, &state.Entry{Kind: state.Flow, Sub: uint16(n % wire.Subflows), Key: key, Data: []byte("established")})
	}
	return delta
}

package replay

import (
	"bufio"
	"bytes"
	"io"
	"slices"

	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/eve"
)

// events writes what functions raise, and a drop event for every packet that nobody raised one for. Lines of a batch are
// put in the order of the packets they are about, so that the file does not depend on how packets fell into batches.
type events struct {
	eve, fast *bufio.Writer // nil: not asked for
	lines     []eventLine
	text      []byte // of the lines
	fastLine  []byte
	scratch   nf.Packet
	lost      uint64
	err       error
}

// eventLine is a line of text with the packet it is about.
type eventLine struct {
	number     uint64
	start, end int
}

func newEvents(eveFile, fastFile io.Writer) events {
	var e events
	if eveFile != nil {
		e.eve = bufio.NewWriterSize(eveFile, 1<<16)
	}
	if fastFile != nil {
		e.fast = bufio.NewWriterSize(fastFile, 1<<16)
	}
	return e
}

func (e *events) wanted() bool { return e.eve != nil || e.fast != nil }

var (
	numberMember = []byte(`"pcap_cnt":`)
	dropMember   = []byte(`"event_type":"drop"`)
)

// take collects the lines of a batch. dropTold is called with the packet's number for every drop event. A line that names
// no packet stands behind the line before it, or at packet first.
func (e *events) take(b *nf.Batch, dropTold func(number uint64), first uint64) {
	text, lost := b.Events.Take()
	e.lost += lost
	number := first
	for len(text) > 0 {
		n := bytes.IndexByte(text, '\n') + 1
		if n == 0 {
			n = len(text)
		}
		line := text[:n]
		text = text[n:]
		if v, ok := numberOf(line); ok {
			number = v
		}
		if bytes.Contains(line[:min(len(line), 256)], dropMember) {
			dropTold(number)
		}
		if e.wanted() {
			start := len(e.text)
			e.text = append(e.text, line...)
			e.lines = append(e.lines, eventLine{number, start, len(e.text)})
		}
	}
}

// numberOf reads pcap_cnt, which stands in the first members of a line.
func numberOf(line []byte) (n uint64, ok bool) {
	at := bytes.Index(line[:min(len(line), 256)], numberMember)
	if at < 0 {
		return 0, false
	}
	for _, c := range line[at+len(numberMember):] {
		if c < '0' || c > '9' {
			break
		}
		n, ok = n*10+uint64(c-'0'), true
	}
	return n, ok
}

// drop adds the event of a packet that a function dropped.
func (e *events) drop(p *nf.Packet, v nf.Verdict) {
	if !e.wanted() {
		return
	}
	e.add(p.Number, func(dst []byte) []byte { return eve.AppendDrop(dst, p, v, nil, &eve.Context{Tx: -1}) })
}

// ownDrop adds the event of a packet that no chain has seen.
func (e *events) ownDrop(f *fate) {
	if !e.wanted() {
		return
	}
	p := &e.scratch
	*p = nf.Packet{Data: f.frame.Data, Wire: f.frame.Wire, From: nf.Side(f.from), Time: f.frame.Time, Number: f.number, Flow: nf.NoFlow}
	packet.Parse(p.Data, int(p.Wire), &p.Info)
	if p.Kind != packet.NotIP {
		p.Reverse = p.Info.Key(p.Data, &p.Key)
	}
	e.add(p.Number, func(dst []byte) []byte {
		dst = eve.Begin(dst, p, "drop")
		dst = append(dst, `,"drop":{"reason":"`...)
		dst = append(dst, dropReasons[f.reason]...)
		return eve.End(append(dst, `"}`...))
	})
}

var dropReasons = reasonNames()

func reasonNames() [dataplane.NumReasons]string {
	verdicts := make([]string, nf.NumVerdicts)
	for v := range verdicts {
		verdicts[v] = nf.Verdict(v).String()
	}
	return dataplane.ReasonNames(verdicts)
}

func (e *events) add(number uint64, line func(dst []byte) []byte) {
	start := len(e.text)
	e.text = append(line(e.text), '\n')
	e.lines = append(e.lines, eventLine{number, start, len(e.text)})
}

// write puts the batch's lines in order and hands them to the files.
func (e *events) write() {
	slices.SortStableFunc(e.lines, func(a, b eventLine) int {
		switch {
		case a.number < b.number:
			return -1
		case a.number > b.number:
			return 1
		}
		return 0
	})
	for _, l := range e.lines {
		line := e.text[l.start:l.end]
		if e.eve != nil {
			e.keep(e.eve.Write(line))
		}
		if e.fast != nil {
			if text, alert := eve.Fast(e.fastLine[:0], bytes.TrimSuffix(line, []byte("\n"))); alert {
				e.fastLine = append(text, '\n')
				e.keep(e.fast.Write(e.fastLine))
			}
		}
	}
	e.lines, e.text = e.lines[:0], e.text[:0]
}

func (e *events) keep(_ int, err error) {
	if e.err == nil {
		e.err = err
	}
}

// flush empties the buffers, and returns the first error of the files.
func (e *events) flush() error {
	if e.eve != nil {
		e.keep(0, e.eve.Flush())
	}
	if e.fast != nil {
		e.keep(0, e.fast.Flush())
	}
	return e.err
}

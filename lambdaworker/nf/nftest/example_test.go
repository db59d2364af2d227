package nftest_test

import (
	"encoding/binary"
	"errors"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

func init() {
	nf.Register(nf.Type{Name: "firstpackets", Doc: "lets only the first packets of a flow through", New: New})
}

// FirstPackets lets the first Limit packets of a flow pass and drops the rest.
type FirstPackets struct {
	options Options
	passed  []uint32 // packets passed, by flow
	dropped int64
}

// Options are what granule.yaml may say.
type Options struct {
	Limit uint32 `yaml:"limit"`
}

// New is called once for each place in a chain that names the function.
func New(s nf.Setup) (nf.NF, error) {
	f := &FirstPackets{options: Options{Limit: 10}}
	if err := s.Options.Decode(&f.options); err != nil {
		return nil, err
	}
	if f.options.Limit == 0 {
		file, line, column := s.Options.Pos("limit")
		return nil, nf.Problem{File: file, Line: line, Column: column, Message: "limit is 0, which drops everything; expected 1 or more"}
	}
	f.passed = make([]uint32, s.Flows.Cap())
	return f, nil
}

// Needs: headers are read, nothing is changed, flows are wanted.
func (f *FirstPackets) Needs() nf.Needs { return nf.Needs{Reads: nf.Headers, Flows: true} }

// Process counts each packet to its flow.
func (f *FirstPackets) Process(b *nf.Batch) {
	for _, i := range b.Live {
		flow := b.Packets[i].Flow
		switch {
		case flow == nf.NoFlow:
		case f.passed[flow] == f.options.Limit:
			b.Drop(i, nf.DropRate)
			f.dropped++
		default:
			f.passed[flow]++
			b.Touch(flow) // its new state rides with the verdicts
		}
	}
}

// Report tells the counters.
func (f *FirstPackets) Report(r *nf.Report) { r.Counters["dropped"] = f.dropped }

// StateVersion changes when the encoding does.
func (f *FirstPackets) StateVersion() uint16 { return 1 }

// AppendFlow appends nothing for a flow that has no state.
func (f *FirstPackets) AppendFlow(dst []byte, flow uint32) []byte {
	if n := f.passed[flow]; n > 0 {
		dst = binary.LittleEndian.AppendUint32(dst, n)
	}
	return dst
}

// ApplyFlow believes nothing about what comes over the wire.
func (f *FirstPackets) ApplyFlow(flow uint32, data []byte) error {
	if len(data) != 4 {
		return errors.New("the state of a flow has 4 bytes")
	}
	f.passed[flow] = min(binary.LittleEndian.Uint32(data), f.options.Limit)
	return nil
}

// ForgetFlow makes the handle ready for another flow.
func (f *FirstPackets) ForgetFlow(flow uint32) { f.passed[flow] = 0 }

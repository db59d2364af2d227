package nftest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// sloppy drops every third packet of a flow, and makes one mistake in what it says of its state.
type sloppy struct {
	mistake string
	count   []byte
	total   int64
}

func init() {
	for _, mistake := range []string{"none", "touch", "export", "import"} {
		nf.Register(nf.Type{Name: "sloppy-" + mistake, New: func(s nf.Setup) (nf.NF, error) {
			return &sloppy{mistake: mistake, count: make([]byte, s.Flows.Cap())}, nil
		}})
	}
}

func (s *sloppy) Needs() nf.Needs { return nf.Needs{Reads: nf.Headers, Flows: true} }

func (s *sloppy) Process(b *nf.Batch) {
	for _, i := range b.Live {
		flow := b.Packets[i].Flow
		s.count[flow]++
		s.total++
		if s.count[flow] == 3 {
			s.count[flow] = 0
			b.Drop(i, nf.DropRate)
		}
		if s.mistake != "touch" || s.count[flow] == 1 {
			b.Touch(flow)
		}
	}
}

func (s *sloppy) Report(r *nf.Report)  { r.Counters["packets"] = s.total }
func (s *sloppy) StateVersion() uint16 { return 1 }

func (s *sloppy) AppendFlow(dst []byte, flow uint32) []byte {
	if s.mistake == "export" {
		return dst
	}
	return append(dst, s.count[flow])
}

func (s *sloppy) ApplyFlow(flow uint32, data []byte) error {
	if s.mistake != "import" {
		s.count[flow] = data[0]
	}
	return nil
}

func (s *sloppy) ForgetFlow(flow uint32) { s.count[flow] = 0 }

// A check that never fails is none: each mistake has to be seen.
func TestHandOffSeesMistakes(t *testing.T) {
	var ps []P
	for i := range 300 {
		ps = append(ps, UDP(fmt.Sprintf("10.0.0.1:%d", 1+i%7), "10.0.0.2:1", ""))
	}
	for _, tt := range []struct {
		mistake string
		seen    bool
	}{{"none", false}, {"touch", true}, {"export", true}, {"import", true}} {
		stage := Stage{NFs: []string{"sloppy-" + tt.mistake}}
		want := Run(stage.Build(t), Packets(ps...), 16)
		got := handOff(t, stage, Packets(ps...), 10)
		if d := difference(&got, &want, nil); (d != "") != tt.seen {
			t.Errorf("mistake %q: seen %v, want %v\n%s", tt.mistake, d != "", tt.seen, d)
		}
		got.Packets = got.Packets[:len(got.Packets)-1]
		if difference(&got, &want, nil) == "" {
			t.Error("a missing packet is no difference")
		}
	}
}

func TestCutsAreInside(t *testing.T) {
	for n := range 500 {
		for _, k := range cuts(n) {
			if k < 1 || k >= n {
				t.Errorf("a capture of %d packets is cut at every %d-th", n, k)
			}
		}
	}
}

func TestPCAP(t *testing.T) {
	head := "\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x65\x00\x00\x00"
	one := "\x01\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\x05\x00\x00\x00\x60\x00"
	all, err := parsePCAP([]byte(head + one))
	if err != nil || len(all) != 1 || all[0].Time != 1e9+2000 || all[0].Wire != 19 || len(all[0].Data) != 16 || all[0].Data[12] != 0x86 {
		t.Errorf("got %+v, %v", all, err)
	}
	for _, bad := range []string{"", head[:20], "x" + head[1:], head + one[:17]} {
		if _, err := parsePCAP([]byte(bad)); err == nil {
			t.Errorf("%q was read as a capture", bad)
		}
	}
}

func TestEndpointsAndFlags(t *testing.T) {
	for _, f := range []func(){func() { UDP("10.0.0.1:x", "10.0.0.2:1", "").Frame() }, func() { TCP("10.0.0.1:1", "10.0.0.2:1", "Q", "") }} {
		func() {
			defer func() {
				if s := fmt.Sprint(recover()); !strings.HasPrefix(s, "nftest:") {
					t.Errorf("a bad packet description ended in %q; want a panic that names it", s)
				}
			}()
			f()
		}()
	}
}

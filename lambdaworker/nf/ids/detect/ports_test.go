package detect

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// TestPortGroups: grouped by port, signatures match what they match without groups.
func TestPortGroups(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	port := func() string {
		p := []int{1, 21, 25, 53, 80, 443, 1000 + r.IntN(50), 65535}[r.IntN(8)]
		switch r.IntN(6) {
		case 0, 1:
			return "any"
		case 2:
			return fmt.Sprintf("!%d", p)
		case 3:
			return fmt.Sprintf("%d:%d", p, min(p+r.IntN(3000), 65535))
		case 4:
			return fmt.Sprintf("[%d,%d]", p, (p+r.IntN(100))%65536)
		}
		return fmt.Sprint(p)
	}
	var text strings.Builder
	const rules = 300
	for sid := 1; sid <= rules; sid++ {
		fmt.Fprintf(&text, "alert udp any %s %s any %s (content:\"%s\"; sid:%d;)\n", port(), []string{"->", "->", "<>"}[r.IntN(3)], port(), []string{"ab", "xab", "x"}[r.IntN(3)], sid)
	}
	e := engine(t, text.String())
	if n := len(e.packets[0][1].groups); n < 4 || n > maxClasses {
		t.Errorf("%d groups of ports", n)
	}
	matched := 0
	for range 4000 {
		p := datagram([]byte("..xab"))
		src, dst := uint16(r.IntN(3)*500+r.IntN(100)), []uint16{1, 21, 25, 53, 80, 81, 443, 1010, 65535, uint16(r.IntN(65536))}[r.IntN(10)]
		binary.BigEndian.PutUint16(p.Data[34:], src)
		binary.BigEndian.PutUint16(p.Data[36:], dst)
		packet.Parse(p.Data, len(p.Data), p.Info)
		p.Dir = proto.Dir(r.IntN(2))
		var want []uint32
		for _, s := range e.sigs {
			if s.header(p) {
				want = append(want, s.Rule.SID)
			}
		}
		slices.Sort(want)
		e.StartBatch()
		e.StartPacket(0)
		e.Packet(p)
		var got []uint32
		for _, m := range e.queue {
			got = append(got, m.Sig.Rule.SID)
		}
		e.queue = e.queue[:0]
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Fatalf("%d -> %d, %v: %v, want %v", src, dst, p.Dir, got, want)
		}
		matched += len(got)
	}
	if matched < 1000 {
		t.Errorf("only %d matches", matched)
	}
}

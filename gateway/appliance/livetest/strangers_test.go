package livetest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

// Strangers at the relay's port change nothing: garbage, silence, half a handshake.
func TestLiveGarbageAtTheRelay(t *testing.T) {
	l := newLive(t, "--relay-listen", "127.0.0.1:7443")
	l.intact(l.transfer(16<<20, func() {
		for i := range 20 {
			err := l.topo.Gateway.Do(func() error {
				c, err := net.Dial("tcp", "127.0.0.1:7443")
				if err != nil {
					return err
				}
				defer c.Close()
				_, err = c.Write([]byte(strings.Repeat("GET / HTTP/1.1\r\n\r\n", i)))
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	}))
	l.until("the refusals are counted", func() bool {
		s, err := l.status()
		refused := uint64(0)
		if err == nil {
			for _, n := range s.Refused {
				refused += n
			}
		}
		return refused >= 20
	})
	l.closed(false)
}

// Somebody who knows the protocol, and even a token, gets in neither as a worker that has joined nor as one that is yet to come.
func TestLiveWrongAndReplayedTokens(t *testing.T) {
	const late = 2
	m := newMiddleman(t, orders{Hold: late})
	l := newLive(t, "--worker-confine=false", "--bootstrap", m.artifact())
	l.intact(l.transfer(1<<20, func() {
		joined, expected := m.invocation(l, 1), m.invocation(l, late)
		stranger := expected
		stranger.Worker, stranger.Token = 77, make([]byte, wire.TokenSize)
		swapped := expected
		swapped.Token = joined.Token // a true one, of somebody else
		forged := expected
		forged.Token = make([]byte, wire.TokenSize)
		for range 3 {
			l.refused(&stranger, "unknown")
			l.refused(&swapped, "proof")
			l.refused(&forged, "proof")
			l.refused(&joined, "used") // word for word what worker 1 has used
		}
		m.tell("release", late)
		l.standby() // the one that was expected still gets in
		l.refused(&expected, "used")
	}))
	s := l.closed(false)
	want := map[string]uint64{"unknown": 3, "proof": 6, "used": 4}
	if !maps.Equal(s.Refused, want) || s.Fleet.Lost+s.Fleet.Failed+s.Fleet.HandOffs > 0 {
		t.Errorf("refused: %v, expected %v; %+v", s.Refused, want, s.Fleet)
	}
}

// refused joins as the worker that inv is for, with the proof that its token gives, and expects to be refused for that reason.
func (l *live) refused(inv *wire.Invocation, why string) {
	l.t.Helper()
	before, err := l.status()
	if err != nil {
		l.t.Error(err)
		return
	}
	if answer, err := l.join(inv); err != nil || answer != wire.TypeBye {
		l.t.Errorf("worker %d was answered %v (%v), expected a bye", inv.Worker, answer, err)
	}
	l.until(fmt.Sprintf("the refusal of worker %d is counted as %q", inv.Worker, why), func() bool {
		after, err := l.status()
		return err == nil && after.Refused[why] == before.Refused[why]+1
	})
}

// join is a worker's side of the join, up to the gateway's answer.
func (l *live) join(inv *wire.Invocation) (answer wire.Type, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var c net.Conn
	if err := l.topo.Gateway.Do(func() (err error) {
		c, err = (&net.Dialer{}).DialContext(ctx, "tcp", inv.Gateways[0])
		return err
	}); err != nil {
		return 0, err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return 0, err
	}
	session, err := tlsrecord.Client(ctx, c, inv.GatewayKey, wire.ALPN)
	if err != nil {
		return 0, err
	}
	binding, err := session.Export(wire.ExporterLabel, wire.JoinContext(inv.Worker, inv.Epoch, 0), wire.ProofSize)
	if err != nil {
		return 0, err
	}
	hello := wire.Hello{Version: wire.Version, Worker: inv.Worker, Epoch: inv.Epoch, Credit: 1 << 20, Proof: wire.Proof(inv.Token, binding)}
	if _, err := c.Write(session.Seal.Append(nil, hello.Append(nil))); err != nil {
		return 0, err
	}
	in := tlsrecord.NewInbox(session.Open, wire.MaxFrame, 0)
	for len(in.Bytes()) < wire.HeaderSize {
		n, err := c.Read(in.Space())
		if err != nil {
			return 0, err
		}
		in.Filled(n)
	}
	head, fault := wire.ParseHeader(in.Bytes())
	if fault != wire.FaultNone {
		return 0, fmt.Errorf("the gateway's answer: %v", fault)
	}
	return head.Type, nil
}

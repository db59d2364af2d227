package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay"
	"github.com/granule-nf/granule/relay/wire"
)

func modes(t *testing.T, f func(t *testing.T, tls bool)) {
	for _, tls := range []bool{true, false} {
		t.Run(fmt.Sprintf("tls=%v", tls), func(t *testing.T) { f(t, tls) })
	}
}

func TestVerdictsRewritesAndInjections(t *testing.T) {
	modes(t, func(t *testing.T, tls bool) {
		g := newFakeGateway(t, tls)
		done := g.invoke(t.Context(), quietWorker(), g.invocation(1))
		c, h := g.joined(), newHeard()
		if c.ID() != (relay.ID{Worker: 7, Epoch: 3, Shard: 0}) {
			t.Errorf("joined as %+v", c.ID())
		}
		const packets = 1000
		sent := 0
		frame := make([]byte, 100)
		until(t, c, h, func() bool {
			for ; sent < packets && c.Room(len(frame)); sent++ {
				frame[0], frame[5] = byte(sent%doKinds), 5
				c.Add(uint64(sent), uint16(sent), sent%2 == 1, len(frame), frame, true, int64(sent)*1000)
			}
			c.Flush()
			return len(h.order) == packets && len(h.events) > 0
		})
		if len(h.order) != packets {
			t.Fatalf("%d of %d answered, connection %v (%v)", len(h.order), packets, c.Status(), c.Reason())
		}
		if h.early {
			t.Error("a verdict came before what it needs")
		}
		next := 0
		for i, ref := range h.order {
			if ref != uint64(i) {
				t.Fatalf("answer %d is to packet %d", i, ref)
			}
			want, kind := nf.Pass, i%doKinds
			if kind == doDrop {
				want = nf.DropRule
			}
			if nf.Verdict(h.verdicts[ref]) != want {
				t.Errorf("packet %d: verdict %d, want %v", i, h.verdicts[ref], want)
			}
			r, changed := h.rewritten[ref]
			switch kind {
			case doHeaders:
				if !changed || r.what != wire.RewroteHeaders || len(r.data) != 100 || r.data[5] != 0xaa {
					t.Errorf("packet %d: rewritten %v %x", i, r.what, r.data)
				}
			case doReplace:
				if !changed || r.what != wire.RewroteWhole || r.data != string(replacement) {
					t.Errorf("packet %d: rewritten %v %x", i, r.what, r.data)
				}
			case doInject:
				if x := h.injected[next]; x.ref != ref || x.side != uint8(i%2) || x.data[0] != 0xcc {
					t.Errorf("injection %d: %+v, want it because of packet %d", next, x, i)
				}
				next++
			default:
				if changed {
					t.Errorf("packet %d: rewritten for no reason", i)
				}
			}
		}
		if next != len(h.injected) {
			t.Errorf("%d frames injected, want %d", len(h.injected), next)
		}
		c.RequestReport()
		c.Ping(42)
		c.Retire()
		if s := until(t, c, h, func() bool { return false }); s != relay.Closed || c.Reason() != relay.ReasonBye || c.Bye() != wire.ByeDone {
			t.Errorf("after Retire: %v, %v, %v", s, c.Reason(), c.Bye())
		}
		said := strings.Join(h.events, "")
		lines, drops := strings.Count(said, "\n"), strings.Count(said, `"event_type":"drop"`)
		if want := (packets - doEvent + doKinds - 1) / doKinds; lines-drops != want {
			t.Errorf("%d event lines beside drops, want %d", lines-drops, want)
		}
		if want := (packets - doDrop + doKinds - 1) / doKinds; drops != want {
			t.Errorf("%d packets were told to be dropped, want %d", drops, want)
		}
		if len(h.reports) != 1 || !strings.Contains(h.reports[0], `"nf":"test-obedient","counters":{"packets":1000}`) {
			t.Errorf("reports %q", h.reports)
		}
		if c.LastPong() != 42 {
			t.Errorf("last pong %d", c.LastPong())
		}
		a := <-done
		a.want(t, ReasonRetired)
		if a.Packets != packets || a.Connections != 1 || a.BytesIn < c.Counters().BytesWritten {
			t.Errorf("summary %+v, counters %+v", a.Summary, c.Counters())
		}
	})
}

func TestEveryShardHasItsConnection(t *testing.T) {
	g := newFakeGateway(t, true)
	done := g.invoke(t.Context(), quietWorker(), g.invocation(4))
	seen := map[int]bool{}
	for range 4 {
		c, h := g.joined(), newHeard()
		seen[c.Shard()] = true
		c.Add(9, 1, false, 60, make([]byte, 60), true, 1e9)
		until(t, c, h, func() bool { return len(h.order) == 1 })
		c.Retire()
		until(t, c, h, func() bool { return false })
	}
	if len(seen) != 4 {
		t.Errorf("shards %v", seen)
	}
	a := <-done
	a.want(t, ReasonRetired)
	if a.Packets != 4 {
		t.Errorf("summary %+v", a.Summary)
	}
}

func TestDrainsBeforeItsDeadline(t *testing.T) {
	g := newFakeGateway(t, true)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	inv := g.invocation(1)
	inv.Margin = wire.Duration(2900 * time.Millisecond)
	done := g.invoke(ctx, quietWorker(), inv)
	c, h := g.joined(), newHeard()
	until(t, c, h, func() bool { return h.draining != 0 })
	deadline, _ := ctx.Deadline()
	if d := time.Unix(0, h.draining); !d.Before(deadline) {
		t.Errorf("gone at %v, not before the deadline %v", d, deadline)
	}
	c.Add(1, 1, false, 60, make([]byte, 60), true, 1e9) // a draining worker answers
	until(t, c, h, func() bool { return len(h.order) == 1 })
	if s := until(t, c, h, func() bool { return false }); s != relay.Closed || c.Bye() != wire.ByeDeadline {
		t.Errorf("in the end: %v, %v, %v", s, c.Reason(), c.Bye())
	}
	(<-done).want(t, ReasonDeadline)
	if ctx.Err() != nil {
		t.Error("the worker was still there at its deadline")
	}
}

func TestDrainsOnSIGTERM(t *testing.T) {
	g := newFakeGateway(t, true)
	w := quietWorker()
	done := g.invoke(t.Context(), w, g.invocation(1))
	c, h := g.joined(), newHeard()
	go w.terminate(termGrace)
	until(t, c, h, func() bool { return h.draining != 0 })
	c.Retire()
	until(t, c, h, func() bool { return false })
	(<-done).want(t, ReasonTerminated)
}

func TestEndsWithItsGateway(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(c *relay.Conn)
		want Reason
	}{
		{"closes", func(c *relay.Conn) { c.Close() }, ReasonClosed},
		{"says nothing", func(*relay.Conn) {}, ReasonIdle},
	} {
		t.Run(test.name, func(t *testing.T) {
			modes(t, func(t *testing.T, tls bool) {
				g := newFakeGateway(t, tls)
				inv := g.invocation(1)
				inv.Heartbeat, inv.Idle = wire.Duration(time.Millisecond), wire.Duration(10*time.Millisecond)
				done := g.invoke(t.Context(), quietWorker(), inv)
				test.do(g.joined())
				(<-done).want(t, test.want)
			})
		})
	}
}

func TestRefusesToRun(t *testing.T) {
	g := newFakeGateway(t, true)
	for _, test := range []struct {
		name   string
		change func(*wire.Invocation)
		want   string
	}{
		{"wrong token", func(i *wire.Invocation) { i.Token[0] ^= 1 }, "the gateway refused the join"},
		{"wrong key", func(i *wire.Invocation) { i.GatewayKey[0] ^= 1 }, "the gateway's key is not the one that the invocation names"},
		{"another epoch", func(i *wire.Invocation) { i.Epoch++ }, "the gateway refused the join"},
		{"too many connections", func(i *wire.Invocation) { i.Connections++ }, "the gateway refused the join"},
		{"no TLS", func(i *wire.Invocation) { i.TLS = false }, "deadline exceeded"},
		{"late", func(i *wire.Invocation) { i.Expires = time.Now().UnixNano() }, "the token expired"},
		{"nobody there", func(i *wire.Invocation) {
			i.Gateways = []string{"127.0.0.1:1"}
			i.Expires = time.Now().Add(50 * time.Millisecond).UnixNano()
		}, "connection refused"},
		{"another version", func(i *wire.Invocation) { i.Version++ }, "protocol version"},
		{"a function that does not exist", func(i *wire.Invocation) {
			i.Stage = []byte(`{"nfs":[{"name":"nat64","file":"g.yaml","line":3,"column":4}]}`)
		}, `g.yaml:3:4: no function is named "nat64"`},
		{"no stage", func(i *wire.Invocation) { i.Stage = []byte(`"x"`) }, "invocation: stage"},
		{"broken files", func(i *wire.Invocation) { i.Files = []byte("x") }, "unpacking files"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inv := g.invocation(1)
			if test.name == "no TLS" {
				inv.Expires = time.Now().Add(200 * time.Millisecond).UnixNano()
			}
			test.change(inv)
			token := string(inv.Token)
			a := <-g.invoke(t.Context(), quietWorker(), inv)
			if a.err == nil || !strings.Contains(a.err.Error(), test.want) {
				t.Errorf("error %v, want %q in it", a.err, test.want)
			}
			if a.err != nil && strings.Contains(a.err.Error(), token) {
				t.Error("the error carries the token")
			}
		})
	}
	if a := <-g.invoke(t.Context(), quietWorker(), nil); a.err == nil {
		t.Error("an invocation of null was accepted")
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

const (
	// credit is how many bytes of batches a connection holds unanswered: what sockets take without the gateway noticing.
	credit = 4 << 20
	// retryEvery is the pause between two rounds over the gateway's addresses while the token is good.
	retryEvery = 200 * time.Millisecond
	joinLimit  = 5 * time.Second // for one connection
)

// errRefused is the gateway's no to a Hello; trying again would be refused again.
var errRefused = errors.New("the gateway refused the join")

// joinAll makes every connection, or none.
func joinAll(ctx context.Context, inv *wire.Invocation, pipelines []*nf.Pipeline) ([]*link, error) {
	ctx, cancel := context.WithDeadline(ctx, time.Unix(0, inv.Expires))
	defer cancel()
	links := make([]*link, len(pipelines))
	failed := make([]error, len(pipelines))
	var joining sync.WaitGroup
	for i := range links {
		joining.Add(1)
		go func() {
			defer joining.Done()
			if links[i], failed[i] = joinOne(ctx, inv, uint16(i), pipelines[i]); failed[i] != nil {
				cancel()
			}
		}()
	}
	joining.Wait()
	err := firstCause(failed)
	if err == nil {
		return links, nil
	}
	for _, l := range links {
		if l != nil {
			l.conn.close()
		}
	}
	return nil, err
}

// firstCause prefers the error that made the others give up to theirs.
func firstCause(errs []error) (cause error) {
	for _, err := range errs {
		if err != nil && (cause == nil || errors.Is(cause, context.Canceled)) {
			cause = err
		}
	}
	return cause
}

// joinOne goes over the gateway's addresses until one answers or the token has expired.
func joinOne(ctx context.Context, inv *wire.Invocation, shard uint16, p *nf.Pipeline) (*link, error) {
	var last error
	for {
		for _, address := range inv.Gateways {
			c, seal, in, err := joinAt(ctx, address, inv, shard)
			if err == nil {
				var s *socket
				if s, err = newSocket(c); err == nil {
					l := newLink(s, seal, in, p, time.Duration(inv.Idle))
					l.whole = inv.Whole
					return l, nil
				}
			}
			err = fmt.Errorf("joining %s, connection %d: %w", address, shard, err)
			if errors.Is(err, errRefused) || errors.Is(err, tlsrecord.ErrWrongKey) {
				return nil, err
			}
			if ctx.Err() == nil || last == nil {
				last = err
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the token expired, or the worker's time was over, before the gateway could be joined: %w", errors.Join(last, ctx.Err()))
		case <-time.After(retryEvery):
		}
	}
}

// joinAt makes one connection: dial, TLS, Hello, Welcome.
func joinAt(ctx context.Context, address string, inv *wire.Invocation, shard uint16) (net.Conn, *tlsrecord.Sealer, *tlsrecord.Inbox, error) {
	ctx, cancel := context.WithTimeout(ctx, joinLimit)
	defer cancel()
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, nil, nil, err
	}
	deadline, _ := ctx.Deadline()
	if err = c.SetDeadline(deadline); err == nil {
		var seal *tlsrecord.Sealer
		var in *tlsrecord.Inbox
		if seal, in, err = greet(ctx, c, inv, shard); err == nil {
			return c, seal, in, nil
		}
	}
	_ = c.Close()
	return nil, nil, nil, err
}

// greet proves who is calling, and waits to be believed. The first batches may already be in the inbox then.
func greet(ctx context.Context, c net.Conn, inv *wire.Invocation, shard uint16) (*tlsrecord.Sealer, *tlsrecord.Inbox, error) {
	session := tlsrecord.Plain()
	who := wire.JoinContext(inv.Worker, inv.Epoch, shard)
	var binding []byte
	if inv.TLS {
		var err error
		if session, err = tlsrecord.Client(ctx, c, inv.GatewayKey, wire.ALPN); err != nil {
			return nil, nil, err
		}
		if binding, err = session.Export(wire.ExporterLabel, who, wire.ProofSize); err != nil {
			return nil, nil, err
		}
	}
	in := tlsrecord.NewInbox(session.Open, wire.MaxBatch, readChunk)
	if !inv.TLS {
		h, body, err := readFrame(c, in)
		if err != nil {
			return nil, nil, err
		}
		if h.Type != wire.TypeChallenge {
			return nil, nil, fmt.Errorf("the gateway sent %v, expected a challenge: is TLS on there?", h.Type)
		}
		binding = wire.PlainBinding((*[wire.NonceSize]byte)(body), who)
		in.Consume(wire.HeaderSize + len(body))
	}
	hello := wire.Hello{
		Version: wire.Version, Shard: shard, Worker: inv.Worker, Epoch: inv.Epoch, Credit: credit,
		Proof: wire.Proof(inv.Token, binding),
	}
	if _, err := c.Write(session.Seal.Append(nil, hello.Append(nil))); err != nil {
		return nil, nil, err
	}
	h, body, err := readFrame(c, in)
	if err != nil {
		return nil, nil, err
	}
	var welcome wire.Welcome
	switch h.Type {
	case wire.TypeWelcome:
		if fault := welcome.Parse(body); fault != wire.FaultNone {
			return nil, nil, fmt.Errorf("the gateway's welcome is malformed: %v", fault)
		}
	case wire.TypeBye:
		reason, _, _ := wire.ParseBye(body)
		return nil, nil, fmt.Errorf("%w: %v", errRefused, reason)
	default:
		return nil, nil, fmt.Errorf("the gateway sent %v, expected a welcome", h.Type)
	}
	in.Consume(wire.HeaderSize + len(body))
	return session.Seal, in, nil
}

// readFrame reads until one whole frame is there, which stays in the inbox.
func readFrame(c net.Conn, in *tlsrecord.Inbox) (wire.Header, []byte, error) {
	for ended := tlsrecord.FaultNone; ; {
		if b := in.Bytes(); len(b) >= wire.HeaderSize {
			h, fault := wire.ParseHeader(b)
			if fault == wire.FaultNone && h.Length > wire.MaxControl {
				fault = wire.FaultLong
			}
			if fault != wire.FaultNone {
				return h, nil, fmt.Errorf("the gateway's first frame is malformed: %v", fault)
			}
			if size := wire.HeaderSize + int(h.Length); len(b) >= size {
				return h, b[wire.HeaderSize:size], nil
			}
		}
		if ended != tlsrecord.FaultNone { // but a frame that came with it was looked at first
			return wire.Header{}, nil, fmt.Errorf("before the gateway's first frame: %v", ended)
		}
		n, err := c.Read(in.Space())
		if err != nil {
			return wire.Header{}, nil, err
		}
		ended = in.Filled(n)
	}
}

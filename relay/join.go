package relay

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

// errTooMuch is what reading gives for a peer that sends too much.
var errTooMuch = errors.New("too many bytes before the join")

// join brings a connection through the TLS handshake and the Hello. Deadlines are set on it.
func (l *Listener) join(ctx context.Context, c *halfOpenConn) (*tlsrecord.Session, wire.Hello, Refusal, bool) {
	var hello wire.Hello
	session := tlsrecord.Plain()
	var nonce [wire.NonceSize]byte
	if l.cfg.TLS {
		var err error
		if session, err = tlsrecord.Server(ctx, c, l.cfg.Identity, wire.ALPN); err != nil {
			return nil, hello, refusalOf(err, RefusedTLS), false
		}
	} else {
		_, _ = rand.Read(nonce[:])
		if _, err := c.Write(wire.AppendChallenge(nil, &nonce)); err != nil {
			return nil, hello, refusalOf(err, RefusedGone), false
		}
	}
	in := tlsrecord.NewInbox(session.Open, wire.HeaderSize+wire.MaxControl, 0)
	why, ok := readHello(c, in, &hello)
	if !ok {
		bye(c, session, why)
		return nil, hello, why, false
	}
	binding := wire.PlainBinding(&nonce, wire.JoinContext(hello.Worker, hello.Epoch, hello.Shard))
	if l.cfg.TLS {
		var err error
		if binding, err = session.Export(wire.ExporterLabel, wire.JoinContext(hello.Worker, hello.Epoch, hello.Shard), wire.ProofSize); err != nil {
			return nil, hello, RefusedTLS, false
		}
	}
	if why, ok = l.tokens.redeem(&hello, binding); !ok {
		bye(c, session, why)
		return nil, hello, why, false
	}
	welcome := wire.Welcome{Version: wire.Version, Time: l.cfg.Now().UnixNano()}
	if _, err := c.Write(session.Seal.Append(nil, welcome.Append(nil))); err != nil {
		return nil, hello, refusalOf(err, RefusedGone), false
	}
	return session, hello, 0, true
}

// readHello reads the one frame that a peer may send before it has joined.
func readHello(c io.Reader, in *tlsrecord.Inbox, h *wire.Hello) (Refusal, bool) {
	for {
		if b := in.Bytes(); len(b) >= wire.HeaderSize {
			head, fault := wire.ParseHeader(b)
			if fault != wire.FaultNone || head.Type != wire.TypeHello {
				return RefusedFormat, false
			}
			if size := wire.HeaderSize + int(head.Length); len(b) >= size {
				switch fault = h.Parse(head, b[wire.HeaderSize:size]); {
				case fault == wire.FaultVersion:
					return RefusedVersion, false
				case fault != wire.FaultNone, len(b) > size: // before the Welcome it has nothing else to say
					return RefusedFormat, false
				}
				return 0, true
			}
		}
		n, err := c.Read(in.Space())
		if err != nil {
			return refusalOf(err, RefusedGone), false
		}
		if fault := in.Filled(n); fault != tlsrecord.FaultNone {
			return RefusedFormat, false
		}
	}
}

// bye tells a refused peer as much as it needs: that it was refused, or is of another version.
func bye(c net.Conn, s *tlsrecord.Session, why Refusal) {
	reason := wire.ByeRefused
	if why == RefusedVersion {
		reason = wire.ByeVersion
	}
	_, _ = c.Write(s.Seal.Close(s.Seal.Append(nil, wire.AppendBye(nil, reason, wire.FaultNone))))
}

func refusalOf(err error, otherwise Refusal) Refusal {
	switch {
	case errors.Is(err, errTooMuch):
		return RefusedBytes
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return RefusedTimeout
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return RefusedGone
	}
	return otherwise
}

// Defaults of Config.
const (
	defaultTimeout     = 3 * time.Second
	defaultHalfOpen    = 64
	defaultMaxBytes    = 16 << 10 // a ClientHello with a post-quantum key share is 1.7 KB
	defaultKeepalive   = 15 * time.Second
	defaultUserTimeout = 10 * time.Second
)

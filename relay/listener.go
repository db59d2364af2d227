package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/granule-nf/granule/relay/tlsrecord"
)

// Config is what a Listener works from. Zero values are the defaults, but for Address, Joined and, with TLS, Identity.
type Config struct {
	Address  string              // host:port to listen on
	TLS      bool                // off only on loopback, or where somebody said so
	Identity *tlsrecord.Identity // the key that workers are told to trust
	// Joined is given each connection that has joined. It is called on a goroutine of the Listener and must not block
	// for long; who takes the Conn closes it.
	Joined func(*Conn)

	Window      int           // bytes of batches a worker may owe; DefaultWindow
	Timeout     time.Duration // for handshake and join together; 3 s
	HalfOpen    int           // how many may be in their handshake at once; 64. One more takes the place of the one silent longest
	MaxBytes    int           // that may be read before the join; 16 KiB
	Keepalive   time.Duration // 15 s: network address translation forgets idle connections after 350
	UserTimeout time.Duration // how long sent bytes may go unacknowledged; 10 s
	Now         func() time.Time
	Log         *slog.Logger
}

// Listener accepts workers, on goroutines of its own.
type Listener struct {
	cfg     Config
	ln      *net.TCPListener
	tokens  *tokens
	refused refusals
	serving chan struct{} // one for each goroutine: those of evicted ones take a moment to end
	ctx     context.Context
	cancel  context.CancelFunc
	done    sync.WaitGroup

	mu       sync.Mutex
	halfOpen []*halfOpenConn // by their arrival
}

// Listen starts a Listener.
func Listen(cfg Config) (*Listener, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: listenControl}
	ln, err := lc.Listen(context.Background(), "tcp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("listening for workers: %w", err)
	}
	l := &Listener{
		cfg: cfg, ln: ln.(*net.TCPListener), tokens: newTokens(cfg.Now),
		serving: make(chan struct{}, 2*cfg.HalfOpen),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.done.Add(1)
	go l.accept()
	return l, nil
}

func (c *Config) complete() error {
	switch {
	case c.Joined == nil:
		return errors.New("relay: Config.Joined is not set")
	case c.TLS && c.Identity == nil:
		return errors.New("relay: Config.Identity is not set, but TLS is on")
	case c.Window < 0 || c.Timeout < 0 || c.HalfOpen < 0 || c.MaxBytes < 0 || c.Keepalive < 0 || c.UserTimeout < 0:
		return errors.New("relay: a negative limit in Config")
	}
	setDefault(&c.Window, DefaultWindow)
	setDefault(&c.Timeout, defaultTimeout)
	setDefault(&c.HalfOpen, defaultHalfOpen)
	setDefault(&c.MaxBytes, defaultMaxBytes)
	setDefault(&c.Keepalive, defaultKeepalive)
	setDefault(&c.UserTimeout, defaultUserTimeout)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Addr returns the address listened on.
func (l *Listener) Addr() net.Addr { return l.ln.Addr() }

// Expect makes a token with which worker can join in epoch: conns connections, one for each shard, each once, until
// expires. An earlier token of the same worker and epoch is burnt.
func (l *Listener) Expect(worker, epoch uint32, conns int, expires time.Time) (token []byte) {
	return l.tokens.expect(worker, epoch, conns, expires)
}

// Forget burns the token of worker in epoch: its invocation failed, or it is not wanted any more.
func (l *Listener) Forget(worker, epoch uint32) { l.tokens.forget(worker, epoch) }

// Refused returns how many connections were refused for each reason.
func (l *Listener) Refused() (counts [NumRefusals]uint64) {
	for i := range counts {
		counts[i] = l.refused[i].Load()
	}
	return counts
}

// HalfOpen returns how many connections are in their handshake.
func (l *Listener) HalfOpen() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.halfOpen)
}

// Close stops listening, ends the handshakes under way, and waits for its goroutines. Conns handed over stay open.
func (l *Listener) Close() error {
	l.cancel()
	err := l.ln.Close()
	l.mu.Lock()
	for _, s := range l.halfOpen {
		s.hurry()
	}
	l.mu.Unlock()
	l.done.Wait()
	return err
}

func (l *Listener) accept() {
	defer l.done.Done()
	for {
		c, err := l.ln.AcceptTCP()
		if err != nil {
			if l.ctx.Err() != nil {
				return
			}
			// No descriptors left, say. Others may be closed meanwhile; spinning would not help that.
			l.cfg.Log.Warn("accepting a worker", "error", err)
			select {
			case <-l.ctx.Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		select {
		case l.serving <- struct{}{}:
			l.done.Add(1)
			go l.serve(c)
		case <-l.ctx.Done():
			_ = c.Close()
			return
		}
	}
}

func (l *Listener) serve(c *net.TCPConn) {
	defer l.done.Done()
	defer func() { <-l.serving }()
	s, ok := l.enter(c)
	if !ok {
		_ = c.Close()
		return
	}
	conn, why, err := l.admit(c, s)
	l.leave(s)
	if conn == nil {
		if s.evicted.Load() {
			why = RefusedHalfOpen
		}
		l.refused[why].Add(1)
		l.cfg.Log.Debug("worker refused", "peer", c.RemoteAddr().String(), "reason", why.String(), "error", err)
		_ = c.Close()
		return
	}
	l.cfg.Joined(conn)
}

func (l *Listener) admit(c *net.TCPConn, s *halfOpenConn) (*Conn, Refusal, error) {
	session, hello, why, ok := l.join(l.ctx, s)
	if !ok {
		return nil, why, nil
	}
	fd, err := detach(c, l.cfg.Keepalive, l.cfg.UserTimeout)
	if err != nil {
		return nil, RefusedSocket, err
	}
	id := ID{Worker: hello.Worker, Epoch: hello.Epoch, Shard: int(hello.Shard)}
	return NewConn(fd, session, id, l.cfg.Window, hello.Credit), 0, nil
}

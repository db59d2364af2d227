package traffic

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// UDP sends numbered datagrams from one host to another at a steady rate, one source port a flow.
type UDP struct {
	From, To Host
	Address  string          // of To
	Port     int             // of To (0: any)
	Flows    int             // (1)
	Size     int             // payload in bytes, 24 or more (200)
	Rate     float64         // packets a second of all flows together (1000)
	Count    int             // packets of all flows together; 0: until Duration is over
	Duration time.Duration   // where Count is 0 (1 s)
	Until    <-chan struct{} // where given, sending goes on, past Count or Duration, until it is closed
	Linger   time.Duration   // how long the last ones have to arrive (3 s); it ends at once when all have
	Meter    *Meter
}

// UDPResult is what a run of UDP came to.
type UDPResult struct {
	Sent, Received        uint64 // Received: each packet once
	Duplicates, Reordered uint64 // within a flow
	Corrupt               uint64 // arrived with other bytes than were sent
	Refused               uint64 // that the sender's own kernel did not take; not in Sent
	Latency               Latency
	Elapsed               time.Duration // of sending
}

// Lost is how many never arrived.
func (r *UDPResult) Lost() uint64 { return r.Sent - r.Received }

const (
	udpMagic  = 0x6772616e // "gran": strays on the port are not ours
	udpHeader = 24         // magic, flow, number, stamp
	udpBuffer = 32 << 20
)

// ramp is what fills a datagram: from any of its first 256 bytes on.
var ramp = func() (b [256 + 65536]byte) {
	for i := range b {
		b[i] = byte(i)
	}
	return b
}()

// Run sends, and waits for what is on its way.
func (u UDP) Run(ctx context.Context) (r UDPResult, err error) {
	u.defaults()
	to, senders, err := u.open()
	if err != nil {
		return r, err
	}
	defer func() {
		_ = to.Close()
		for _, s := range senders {
			_ = s.Close()
		}
	}()
	defer interrupt(ctx, to)()
	flows := make([]sequence, u.Flows)
	var wg sync.WaitGroup
	var received error
	wg.Go(func() { received = u.receive(ctx, to, flows, &r) })
	err = u.send(ctx, senders, &r)
	// All have come, or what has not within the linger never will.
	for until := time.Now().Add(u.Linger); ctx.Err() == nil && u.Meter.Received.Load() < r.Sent && time.Now().Before(until); {
		time.Sleep(5 * time.Millisecond)
	}
	_ = to.SetReadDeadline(time.Unix(1, 0))
	wg.Wait()
	for i := range flows {
		r.Received += flows[i].unique
		r.Duplicates += flows[i].duplicates
		r.Reordered += flows[i].reordered
	}
	return r, errors.Join(err, received, ctx.Err())
}

func (u *UDP) defaults() {
	set := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	set(&u.Flows, 1)
	set(&u.Size, 200)
	u.Size = min(max(u.Size, udpHeader), 65507)
	if u.Rate == 0 {
		u.Rate = 1000
	}
	if u.Duration == 0 {
		u.Duration = time.Second
	}
	if u.Linger == 0 {
		u.Linger = 3 * time.Second
	}
	shown := meter(u.Meter)
	u.Meter = shown
}

// open binds the receiver and a sender a flow.
func (u *UDP) open() (to *net.UDPConn, senders []*net.UDPConn, err error) {
	at := &net.UDPAddr{IP: net.ParseIP(u.Address), Port: u.Port}
	if err := u.To.Do(func() (err error) { to, err = net.ListenUDP("udp4", at); return err }); err != nil {
		return nil, nil, fmt.Errorf("listen on UDP %s: %w", at, err)
	}
	growBuffer(to, unix.SO_RCVBUFFORCE)
	at = to.LocalAddr().(*net.UDPAddr)
	err = u.From.Do(func() error {
		for range u.Flows {
			c, err := net.DialUDP("udp4", nil, at)
			if err != nil {
				return err
			}
			growBuffer(c, unix.SO_SNDBUFFORCE)
			senders = append(senders, c)
		}
		return nil
	})
	if err != nil {
		_ = to.Close()
		for _, s := range senders {
			_ = s.Close()
		}
		return nil, nil, fmt.Errorf("open a UDP socket to %s: %w", at, err)
	}
	return to, senders, nil
}

// growBuffer keeps the hosts' own sockets from losing what the wire did not. Without CAP_NET_ADMIN the system's limit holds.
func growBuffer(c *net.UDPConn, option int) {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, option, udpBuffer) })
	}
}

func (u *UDP) send(ctx context.Context, senders []*net.UDPConn, r *UDPResult) error {
	b := make([]byte, u.Size)
	binary.LittleEndian.PutUint32(b, udpMagic)
	numbers := make([]uint64, u.Flows)
	p := pace{rate: u.Rate, began: time.Now()}
	defer func() { r.Elapsed = time.Since(p.began) }()
	for n := 0; n < u.Count || u.Count == 0 && time.Since(p.began) < u.Duration || open(u.Until); {
		due := p.due(ctx, 64)
		if ctx.Err() != nil {
			return nil
		}
		for ; due > 0 && (n < u.Count || u.Count == 0 || open(u.Until)); due-- {
			flow := n % u.Flows
			n++
			binary.LittleEndian.PutUint32(b[4:], uint32(flow))
			binary.LittleEndian.PutUint64(b[8:], numbers[flow])
			copy(b[udpHeader:], ramp[byte(numbers[flow]):])
			binary.LittleEndian.PutUint64(b[16:], uint64(stamp()))
			switch _, err := senders[flow].Write(b); {
			case err == nil:
				numbers[flow]++
				r.Sent++
				u.Meter.Sent.Add(1)
			case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.EHOSTUNREACH):
				r.Refused++ // ECONNREFUSED and EHOSTUNREACH tell of an earlier one
			default:
				return fmt.Errorf("send UDP to %s: %w", senders[flow].RemoteAddr(), err)
			}
		}
	}
	return nil
}

func (u *UDP) receive(ctx context.Context, c *net.UDPConn, flows []sequence, r *UDPResult) error {
	b := make([]byte, 65536)
	for {
		n, _, err := c.ReadFromUDPAddrPort(b)
		now := stamp()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			return fmt.Errorf("receive UDP: %w", why(ctx, err))
		}
		if n < udpHeader || binary.LittleEndian.Uint32(b) != udpMagic {
			continue
		}
		flow, number := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint64(b[8:])
		if int(flow) >= len(flows) || number > u.Meter.Sent.Load() {
			r.Corrupt++
			continue
		}
		if n != u.Size || !bytes.Equal(b[udpHeader:n], ramp[byte(number):][:n-udpHeader]) {
			r.Corrupt++
		}
		s := &flows[flow]
		before := s.unique
		if s.arrived(number); s.unique > before {
			r.Latency.Add(time.Duration(now - int64(binary.LittleEndian.Uint64(b[16:]))))
			u.Meter.Received.Add(1)
		}
	}
}

package main

import (
	"bytes"
	"io"
	"log"
	"net"
	"syscall"
	"time"
)

// smallBuffer is a receive buffer that a slow reader can't hide behind, in bytes.
const smallBuffer = 16 << 10

// between listens for a worker, and passes its connections on to the gateway.
func (o *orders) between(gateway string, worker uint32, slow bool) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	dialer := net.Dialer{}
	if slow {
		dialer.Control = func(_, _ string, c syscall.RawConn) (err error) {
			if cerr := c.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, smallBuffer)
			}); cerr != nil {
				return cerr
			}
			return err
		}
	}
	go func() {
		for {
			w, err := l.Accept()
			if err != nil {
				log.Fatal(err)
			}
			g, err := dialer.Dial("tcp", gateway)
			if err != nil {
				log.Print(err)
				_ = w.Close()
				continue
			}
			go func() {
				await("garbage", worker)
				_, _ = g.Write(bytes.Repeat([]byte{0xff}, 128<<10)) // longer than any record or frame
			}()
			go pass(w, g, func() { _, _ = io.Copy(g, w) })
			go pass(g, w, func() {
				if slow {
					o.trickle(w, g)
				} else {
					_, _ = io.Copy(w, g)
				}
			})
		}
	}()
	return l.Addr().String(), nil
}

// pass ends the other direction with its own.
func pass(a, b net.Conn, run func()) {
	run()
	_ = a.Close()
	_ = b.Close()
}

// trickle copies no faster than ordered.
func (o *orders) trickle(to io.Writer, from io.Reader) {
	for tick := time.Tick(time.Duration(o.Every) * time.Millisecond); ; <-tick {
		if _, err := io.CopyN(to, from, int64(o.Bytes)); err != nil {
			return
		}
	}
}

package main

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

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
		return err == nil && sum(s.Refused) >= 20
	})
	l.closed(false)
}

// Somebody who knows the protocol and no token gets in neither as a worker that is there nor as one that is not.
func TestLiveWrongAndReplayedTokens(t *testing.T) {
	l := newLive(t, "--relay-listen", "127.0.0.1:7443")
	l.standby()
	l.intact(l.transfer(16<<20, func() {
		for worker := range uint32(20) {
			err := l.topo.Gateway.Do(func() error {
				raw, err := net.Dial("tcp", "127.0.0.1:7443")
				if err != nil {
					return err
				}
				c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{wire.ALPN}})
				defer c.Close()
				hello := wire.Hello{Version: wire.Version, Worker: worker, Epoch: 1, Credit: 1 << 20}
				if _, err := c.Write(hello.Append(nil)); err != nil {
					return err
				}
				_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
				answer, err := io.ReadAll(c)
				if len(answer) > 0 && wire.Type(answer[0]) == wire.TypeWelcome {
					t.Errorf("worker %d without a token was welcomed", worker)
				}
				if errors.Is(err, os.ErrDeadlineExceeded) {
					return err
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	}))
	s := l.closed(false)
	// Workers 1 and 2 have joined: their tokens are used. The others are known to nobody.
	if s.Refused["used"] < 2 || s.Refused["unknown"] < 10 || s.Fleet.Lost > 0 {
		t.Errorf("refused: %v, workers lost: %d", s.Refused, s.Fleet.Lost)
	}
}

package relay

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/relay/wire"
)

// A worker that floods with frames that cost it nothing is cut off; one that answers is not, however fast.
func TestFloodsOfFrames(t *testing.T) {
	skip := wire.Header{Type: 200, Flags: wire.FlagSkip}.Append(nil)
	for name, frame := range map[string][]byte{
		"of a type that may be skipped": skip,
		"pings":                         wire.AppendTime(nil, wire.TypePing, 1, 1<<20),
		"pongs":                         wire.AppendTime(nil, wire.TypePong, 1, 1<<20),
		"empty events":                  wire.AppendEvents(nil, nil, 0, 1<<20),
		"reports":                       wire.AppendReport(nil, []byte("{}"), 0, 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			c, p := connPair(t, 0, 1<<20)
			c.Tick(1)
			sent := 0
			for c.Status() == OK && sent < 100_000 {
				p.send(bytes.Repeat(frame, 256))
				sent += 256
				c.Read(&counter{})
				_ = c.Flush()
				for p.fill() {
					p.in.Consume(len(p.in.Bytes()))
				}
			}
			if c.Reason() != ReasonRate || sent > allowedBurst+512 {
				t.Errorf("after %d frames: %v", sent, c.Reason())
			}
		})
	}
	t.Run("as many as may come", func(t *testing.T) {
		c, p := connPair(t, 0, 1<<20)
		for now := int64(1); now < 60e9; now += int64(1e9) / (allowedSecond - 12) {
			c.Tick(now)
			p.send(skip)
			if c.Read(&counter{}) != Again {
				t.Fatalf("after %d s: %v", now/1e9, c.Reason())
			}
		}
	})
	t.Run("that answer", func(t *testing.T) {
		c, p := connPair(t, 0, 1<<30)
		c.Tick(1)
		for n := range uint32(10_000) { // at one moment
			c.Add(uint64(n), 0, false, 60, make([]byte, 60), true, 1)
			c.Flush()
			for p.fill() {
				p.in.Consume(len(p.in.Bytes()))
			}
			var w wire.ResultWriter
			w.Begin(nil, n+1, 1<<30)
			w.EndState(w.BeginState())
			w.Verdict(0)
			frame, _ := w.End()
			p.send(wire.AppendEvents(frame, []byte("{}\n"), 0, 1<<30))
			if c.Read(&counter{}) != Again {
				t.Fatalf("after %d results: %v", n, c.Reason())
			}
		}
	})
}

// Records of one byte cost as much to open as long ones: a worker that sends everything so is cut off, whatever the frames in them.
func TestFloodOfRecords(t *testing.T) {
	server, client := tlsPair(t)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := NewConn(fds[0], server, ID{Worker: 1}, 0, 1<<20)
	c.Tick(1)
	defer c.Close()
	defer unix.Close(fds[1])
	frame := wire.Header{Type: 200, Flags: wire.FlagSkip, Length: 1 << 20}.Append(nil) // one long frame
	frame = append(frame, make([]byte, 1<<20)...)
	records := 0
	for c.Status() == OK && records < 100_000 {
		var out []byte
		for range 256 {
			out = client.Seal.Append(out, frame[:1])
			frame = frame[1:]
			records++
		}
		if _, err := unix.Write(fds[1], out); err != nil {
			t.Fatal(err)
		}
		c.Read(&counter{})
	}
	if c.Reason() != ReasonRate || records > allowedBurst+512 {
		t.Errorf("after %d records: %v", records, c.Reason())
	}
}

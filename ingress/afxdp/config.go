package afxdp

import (
	"fmt"
	"math/bits"
	"time"
)

// Sizes of UMEM's frames. 4096 is what ENA's zero-copy needs and what covers every MTU that native XDP takes without
// multi-buffer; in copy mode the kernel keeps 256 bytes of it in front of a received frame.
const (
	FrameSize = 4096
	headroom  = 256
	maxFrame  = FrameSize - headroom
	maxJumbo  = 9728 // MTU 9700; EC2's jumbo is 9001, most switches stop at 9216

	maxUmem = 1 << 31 // bytes; descriptors' addresses would allow more, one slice over all of it would not
)

// Config is how to open one queue of one interface. The zero value of a size takes its default.
type Config struct {
	Ifindex int
	Queue   int
	MTU     int // of the interface; 0: unknown

	RXFrames int // frames that can be parked, 4 KiB each (16384)
	FillRing int // frames that the kernel has to receive into (2048); at least the NIC's RX ring + RXRing on a real NIC
	RXRing   int // frames received and not yet taken (2048)
	TXRing   int // frames on their way out (2048)

	Jumbo        bool // frames may span buffers; needed above an MTU of 3498
	JumboBuffers int  // frames longer than one buffer that can be parked (1024, 9.5 KiB each)

	ZeroCopy   bool          // ask the driver for zero-copy; taken without where it refuses, see Port.Facts
	SendBuffer int           // bytes of frames on their way out that the kernel allows in copy mode (64 MiB)
	BusyPoll   time.Duration // 0: off. Gains only with a core to burn for each queue
}

func (c *Config) withDefaults() Config {
	d := *c
	set := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	set(&d.RXFrames, 16384)
	set(&d.FillRing, 2048)
	set(&d.RXRing, 2048)
	set(&d.TXRing, 2048)
	set(&d.JumboBuffers, 1024)
	set(&d.SendBuffer, 64<<20)
	return d
}

// Validate reports the first contradiction, of the sizes as they are after defaults.
func (c *Config) Validate() error {
	d := c.withDefaults()
	for _, ring := range []struct {
		name string
		size int
	}{{"fill ring", d.FillRing}, {"RX ring", d.RXRing}, {"TX ring", d.TXRing}} {
		if ring.size < 64 || ring.size > 1<<16 || bits.OnesCount(uint(ring.size)) != 1 {
			return fmt.Errorf("%s of %d: expected a power of two from 64 to 65536", ring.name, ring.size)
		}
	}
	if d.RXFrames < d.FillRing {
		return fmt.Errorf("%d parked frames with a fill ring of %d: expected at least as many frames as the ring holds", d.RXFrames, d.FillRing)
	}
	if total := (d.RXFrames + d.TXRing) * FrameSize; total > maxUmem {
		return fmt.Errorf("%d parked frames: with %d to send they take %d bytes, expected at most %d; use more queues", d.RXFrames, d.TXRing, total, maxUmem)
	}
	if d.JumboBuffers < 1 || d.SendBuffer < FrameSize || d.BusyPoll < 0 || d.Queue < 0 {
		return fmt.Errorf("jumbo buffers %d, send buffer %d, busy poll %s, queue %d: expected at least 1, %d, 0, 0",
			d.JumboBuffers, d.SendBuffer, d.BusyPoll, d.Queue, FrameSize)
	}
	return nil
}

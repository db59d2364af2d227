package xdpprog

import (
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// MaxQueues is how many RX queues a port may have: the size of the maps in relay.c.
const MaxQueues = 64

const beatStride = int(unsafe.Sizeof(relayBeat{}))

// Heartbeat tells the programs of both ports which queues are served. It is memory shared with the kernel: a beat is
// one store. Only a loop that does a queue's work may beat for it: a timer would keep a hung loop alive.
type Heartbeat struct {
	mem []byte // MaxQueues cache lines, each begins with a time
}

func mapHeartbeat(m *ebpf.Map) (*Heartbeat, error) {
	size := MaxQueues * beatStride
	page := unix.Getpagesize()
	mem, err := unix.Mmap(m.FD(), 0, (size+page-1)&^(page-1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the heartbeat of the XDP program into memory: %w", err)
	}
	return &Heartbeat{mem: mem}, nil
}

// Beat says that queue is served at now, in ns of CLOCK_MONOTONIC (see Now). Any number of goroutines may beat.
func (h *Heartbeat) Beat(queue int, now int64) {
	atomic.StoreUint64(h.at(queue), uint64(now))
}

// Stop says that queue is served no more: the program relays or drops from its next frame on.
func (h *Heartbeat) Stop(queue int) {
	atomic.StoreUint64(h.at(queue), 0)
}

// Last returns the time of queue's last beat, 0 if it never beat or was stopped.
func (h *Heartbeat) Last(queue int) int64 {
	return int64(atomic.LoadUint64(h.at(queue)))
}

func (h *Heartbeat) at(queue int) *uint64 {
	return (*uint64)(unsafe.Pointer(&h.mem[queue*beatStride]))
}

func (h *Heartbeat) close() error {
	if h.mem == nil {
		return nil
	}
	mem := h.mem
	h.mem = nil
	return unix.Munmap(mem)
}

// clockStart ties Go's monotonic clock, which is read without a system call, to the kernel's CLOCK_MONOTONIC.
var clockStart, clockStartMono = func() (time.Time, int64) {
	var ts unix.Timespec
	start := time.Now()
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("CLOCK_MONOTONIC: " + err.Error()) // Linux always has it
	}
	return start, ts.Nano()
}()

// Now is CLOCK_MONOTONIC in ns, the clock of Beat.
func Now() int64 { return Monotonic(time.Now()) }

// Monotonic converts a time that carries Go's monotonic reading (time.Now) to ns of CLOCK_MONOTONIC, so that a loop
// that has read the clock for its burst needs no second reading to beat.
func Monotonic(t time.Time) int64 { return clockStartMono + int64(t.Sub(clockStart)) }

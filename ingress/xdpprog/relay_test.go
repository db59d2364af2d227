package xdpprog

import (
	"os"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

const (
	xdpDrop     = 1
	xdpRedirect = 4
)

// loadForTest loads the program without attaching or pinning it.
func loadForTest(t *testing.T, failOpen uint32, maxAge time.Duration) *relayObjects {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("%s needs root: it loads an XDP program", t.Name())
	}
	spec, err := loadRelay()
	if err != nil {
		t.Fatal(err)
	}
	if err := spec.Variables[relayVarFailOpen].Set(failOpen); err != nil {
		t.Fatal(err)
	}
	if err := spec.Variables[relayVarMaxAgeNs].Set(int64(maxAge)); err != nil {
		t.Fatal(err)
	}
	objs := &relayObjects{}
	if err := spec.LoadAndAssign(objs, nil); err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() { _ = objs.Close() })
	if err := objs.OtherPort.Put(uint32(0), uint32(1)); err != nil { // loopback: the test run goes no further than the verdict
		t.Fatal(err)
	}
	return objs
}

// unboundSocket is an AF_XDP socket with as much to it as the map asks for.
func unboundSocket(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	umem, err := unix.Mmap(-1, 0, 64*4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.Close(fd)
		_ = unix.Munmap(umem)
	})
	reg := unix.XDPUmemReg{Addr: uint64(uintptr(unsafe.Pointer(&umem[0]))), Len: uint64(len(umem)), Size: 4096}
	if _, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_XDP, unix.XDP_UMEM_REG,
		uintptr(unsafe.Pointer(&reg)), unsafe.Sizeof(reg), 0); errno != 0 {
		t.Fatal(errno)
	}
	for _, ring := range []int{unix.XDP_UMEM_FILL_RING, unix.XDP_UMEM_COMPLETION_RING, unix.XDP_RX_RING} {
		if err := unix.SetsockoptInt(fd, unix.SOL_XDP, ring, 64); err != nil {
			t.Fatal(err)
		}
	}
	return fd
}

// TestEveryBranch runs the real program: what it finds, what it is sent, what it answers, what it counts.
func TestEveryBranch(t *testing.T) {
	const maxAge = time.Second
	const never = time.Duration(-1 << 62)
	for _, c := range []struct {
		name     string
		failOpen uint32
		socket   bool
		age      time.Duration // of the heartbeat; negative: it lies in the future
		answer   uint32
		outcome  Outcome
	}{
		{"fresh", 0, true, 0, xdpRedirect, ToSocket},
		{"stamped ahead of the coarse clock", 0, true, -4 * time.Millisecond, xdpRedirect, ToSocket},
		{"not yet stale", 0, true, maxAge / 2, xdpRedirect, ToSocket},
		{"stale, open", 1, true, 2 * maxAge, xdpRedirect, RelayedStale},
		{"stale, closed", 0, true, 2 * maxAge, xdpDrop, DroppedStale},
		{"never beat, open", 1, true, never, xdpRedirect, RelayedStale},
		{"never beat, closed", 0, true, never, xdpDrop, DroppedStale},
		{"no socket, open", 1, false, 0, xdpRedirect, RelayedNoSocket},
		{"no socket, closed", 0, false, 0, xdpDrop, DroppedNoSocket},
		{"no socket and stale, closed", 0, false, 2 * maxAge, xdpDrop, DroppedNoSocket},
	} {
		t.Run(c.name, func(t *testing.T) {
			objs := loadForTest(t, c.failOpen, maxAge)
			beats, err := mapHeartbeat(objs.Beats)
			if err != nil {
				t.Fatal(err)
			}
			defer beats.close()
			if c.socket {
				if err := objs.Sockets.Put(uint32(0), uint32(unboundSocket(t))); err != nil {
					t.Fatal(err)
				}
			}
			if c.age != never {
				beats.Beat(0, Now()-int64(c.age))
			}
			for _, size := range []int{14, 60, 1514} {
				answer, err := objs.Relay.Run(&ebpf.RunOptions{Data: make([]byte, size)})
				if err != nil {
					t.Fatal(err)
				}
				if answer != c.answer {
					t.Errorf("%d bytes: answered %d, expected %d", size, answer, c.answer)
				}
			}
			tallies, err := readTallies(objs.Outcomes)
			if err != nil {
				t.Fatal(err)
			}
			for o, got := range tallies {
				want := Tally{}
				if Outcome(o) == c.outcome {
					want = Tally{Packets: 3, Bytes: 14 + 60 + 1514}
				}
				if got != want {
					t.Errorf("%s: counted %+v, expected %+v", Outcome(o), got, want)
				}
			}
		})
	}
}

func TestOutcomesHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for o := range Outcomes {
		name := Outcome(o).String()
		if seen[name] || name[0] == 'o' {
			t.Errorf("outcome %d is called %q", o, name)
		}
		seen[name] = true
	}
}

func TestHeartbeatIsAStore(t *testing.T) {
	objs := loadForTest(t, 0, time.Second)
	beats, err := mapHeartbeat(objs.Beats)
	if err != nil {
		t.Fatal(err)
	}
	defer beats.close()
	if n := testing.AllocsPerRun(100, func() { beats.Beat(3, Now()) }); n != 0 {
		t.Errorf("%v allocations a beat", n)
	}
	var b relayBeat
	if err := objs.Beats.Lookup(uint32(3), &b); err != nil {
		t.Fatal(err)
	}
	if int64(b.At) != beats.Last(3) || b.At == 0 {
		t.Errorf("the kernel has %d, we wrote %d", b.At, beats.Last(3))
	}
	beats.Stop(3)
	if beats.Last(3) != 0 {
		t.Error("stopped, and still beating")
	}
}

// TestNowIsTheKernelsClock compares against a system call on either side.
func TestNowIsTheKernelsClock(t *testing.T) {
	read := func() int64 {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			t.Fatal(err)
		}
		return ts.Nano()
	}
	before, now, after := read(), Now(), read()
	const slack = int64(time.Millisecond) // between the two readings that tie the clocks
	if now < before-slack || now > after+slack {
		t.Errorf("Now is %d, the kernel's clock went from %d to %d", now, before, after)
	}
}

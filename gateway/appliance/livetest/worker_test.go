package livetest

import (
	"syscall"
	"testing"
	"time"
)

func TestLiveWorkerKilled(t *testing.T) {
	l := newLive(t)
	l.standby()
	pid := l.active()
	l.intact(l.transfer(64<<20, func() {
		time.Sleep(500 * time.Millisecond) // into the transfer, wherever that is
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}))
	s := l.closed(false)
	// Whichever is heard first counts it: the connection's end or the invocation's.
	if s.Fleet.Lost+s.Fleet.Failed < 1 || s.Fleet.HandOffs != 1 {
		t.Errorf("lost %d, failed %d, hand-offs %d; expected one death and one hand-off", s.Fleet.Lost, s.Fleet.Failed, s.Fleet.HandOffs)
	}
}

func TestLiveWorkerHangs(t *testing.T) {
	l := newLive(t, "--worker-timeout", "300ms")
	l.standby()
	pid := l.active()
	l.intact(l.transfer(32<<20, func() {
		time.Sleep(500 * time.Millisecond)
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}))
	_ = syscall.Kill(pid, syscall.SIGCONT)
	if s := l.closed(false); s.Fleet.HandOffs < 1 {
		t.Errorf("hand-offs %d; expected one at least", s.Fleet.HandOffs)
	}
}

// A worker that pauses for less than worker-timeout delays packets and loses none.
func TestLiveWorkerPauses(t *testing.T) {
	l := newLive(t, "--worker-timeout", "1900ms")
	pid := l.active()
	l.intact(l.transfer(32<<20, func() {
		for range 3 {
			time.Sleep(300 * time.Millisecond)
			_ = syscall.Kill(pid, syscall.SIGSTOP)
			time.Sleep(200 * time.Millisecond)
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	}))
	if s := l.closed(false); s.Fleet.HandOffs != 0 {
		t.Errorf("hand-offs %d; expected none", s.Fleet.HandOffs)
	}
}

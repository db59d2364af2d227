package dataplane

import "golang.org/x/sys/unix"

// busyPoll is how a shard waits for answers that are near: awake, for it takes longer to be woken up than to poll some more.
//
// Between two polls the processor is offered to others: where a worker shares it, the answer can't come before. Answers that
// are not near (a worker across a network) are not polled for; only now and then, to learn of a change.
type busyPoll struct {
	spin    int64 // ns; 0: never
	until   int64
	misses  int // polls in a row that nothing came of
	skipped int // chances not taken since then
}

const (
	maxMisses  = 8  // so many in a row, and the answers are not near
	retryEvery = 32 // one chance of so many is taken nevertheless
)

// worked is called after a turn that did something, with the number of turns before it that did nothing; waiting is whether packets
// are at workers.
func (b *busyPoll) worked(now int64, waiting bool, idle int) {
	if idle > 0 && now < b.until {
		b.misses = 0
	}
	b.until = 0
	if !waiting || b.spin == 0 {
		return
	}
	if b.misses >= maxMisses {
		if b.skipped++; b.skipped%retryEvery != 0 {
			return
		}
	}
	b.until = now + b.spin
}

// again reports whether to poll again after a turn that did nothing, rather than to sleep.
func (b *busyPoll) again(now int64) bool {
	if b.until == 0 {
		return false
	}
	if now >= b.until {
		b.until = 0
		b.misses++
		return false
	}
	_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // which can't fail
	return true
}

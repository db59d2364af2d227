package dataplane

import "golang.org/x/sys/unix"

// asking is how a shard waits for answers that are near: awake, for it takes longer to be woken up than to ask some more.
//
// Between two questions the processor is offered to others: where a worker shares it, the answer can't come before.
// Answers that are not near (a worker across a network) are not asked for; only now and then, to learn of a change.
type asking struct {
	spin int64 // ns; 0: never
	till int64
	vain int // times on end that nothing came
	past int // chances let go since then
}

const (
	vainEnough = 8  // so often in vain, and the answers are not near
	vainRetry  = 32 // one chance of so many is taken nevertheless
)

// worked is told of a turn that did something, and after how many that did not; waiting is whether packets are at workers.
func (a *asking) worked(now int64, waiting bool, idle int) {
	if idle > 0 && now < a.till {
		a.vain = 0
	}
	a.till = 0
	if !waiting || a.spin == 0 {
		return
	}
	if a.vain >= vainEnough {
		if a.past++; a.past%vainRetry != 0 {
			return
		}
	}
	a.till = now + a.spin
}

// again reports whether to ask again after a turn that did nothing, rather than to sleep.
func (a *asking) again(now int64) bool {
	if a.till == 0 {
		return false
	}
	if now >= a.till {
		a.till = 0
		a.vain++
		return false
	}
	_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // which can't fail
	return true
}

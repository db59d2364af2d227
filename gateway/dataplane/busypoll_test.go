package dataplane

import "testing"

// times plays n packets, each answered after the given time, and returns how many answers met a shard that was busyPoll.
func (b *busyPoll) times(n int, answer int64) (met int) {
	for i := range n {
		now := int64(i+1) * 1e9
		b.worked(now, true, 1)
		idle, awake := 0, true
		for t := now; t < now+answer; t += 10_000 {
			if awake = b.again(t); !awake {
				break
			}
			idle++
		}
		if awake {
			met++
			b.worked(now+answer, false, idle)
		}
	}
	return met
}

func TestAskingIsForAnswersThatAreNear(t *testing.T) {
	a := busyPoll{spin: 300_000}
	if met := a.times(100, 200_000); met != 100 {
		t.Errorf("%d of 100 answers within the time were asked for; all are expected", met)
	}
	if met := a.times(1000, 900_000); met != 0 || a.skipped < 900 {
		t.Errorf("answers are far: %d met, %d chances let go; 0 and most of 1000 are expected", met, a.skipped)
	}
	if met := a.times(100, 200_000); met < 100-retryEvery {
		t.Errorf("%d of 100 answers were asked for once they were near again; at least %d are expected", met, 100-retryEvery)
	}
	never := busyPoll{}
	if met := never.times(10, 200_000); met != 0 {
		t.Errorf("%d answers were asked for without being told to", met)
	}
}

func TestAskingEndsWithTheLastPacket(t *testing.T) {
	a := busyPoll{spin: 300_000}
	a.worked(1000, false, 0)
	if a.again(1000) {
		t.Error("asks although nothing is at a worker")
	}
}

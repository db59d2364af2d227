package dataplane

// A packet that kills the worker that reads it must not be sent to the next one for ever, and those that were with it must not
// be taken for it. So a slot counts the workers of its stage that were lost while they had it:
//
//	0   it is shipped with whatever is at hand
//	1   it is shipped with few others that have met one loss, and with nothing else: most workers die by themselves, and
//	    hundreds of packets one at a time would be hundreds of round trips
//	2+  it is shipped alone: if that worker dies too, nothing else can have been the cause
//
// One that has met --max-deaths is resolved as poison by the policy for failed workers. With the default of 3, a packet that kills
// whatever reads it costs three workers, and the packets beside it are answered.

// quarantine is how many packets that have met one loss are at a worker together.
const quarantine = 32

// admits reports whether a packet that has met so many losses may be sent to c now.
func (c *conn) admits(losses uint8, limit int) bool {
	if c.inflight == 0 || losses|c.losses == 0 {
		return true
	}
	return losses == c.losses && losses == 1 && limit > 2 && c.inflight < quarantine
}

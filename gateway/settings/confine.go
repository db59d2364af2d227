package settings

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/granule-nf/granule/gateway/locallambda/confine"
)

// Words of the setting worker-user beside numbers.
const (
	ownUsers = "own"
	keepUser = "keep"
)

const workerUserUsage = "user that local workers run as: own (a user each that nobody else has), keep (the gateway's), or UID[:GID]"

// confine says how local workers are confined: through this program, which gives up what they are not to have and becomes them.
func (s *Run) confine() error {
	f := &s.fleet
	if s.confineWorkers {
		f.Launcher.Program = confine.Program
	}
	switch s.workerUser {
	case ownUsers:
		f.Launcher.OwnUsers = s.confineWorkers
		return nil
	case keepUser:
		return nil
	}
	user, group, both := strings.Cut(s.workerUser, ":")
	if !both {
		group = user
	}
	uid, err := strconv.ParseUint(user, 10, 31)
	gid, gerr := strconv.ParseUint(group, 10, 31)
	if err != nil || gerr != nil || uid == 0 || gid == 0 {
		return fmt.Errorf("worker-user: found %q; expected own, keep, or UID[:GID] with numbers above 0", s.workerUser)
	}
	f.UID, f.GID = uint32(uid), uint32(gid)
	return nil
}

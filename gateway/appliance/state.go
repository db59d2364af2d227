package appliance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/gateway/replica"
	"github.com/granule-nf/granule/gateway/settings"
)

// stateDir is the folder in which replicas outlive this process, held by one process at a time. A nil one is none.
type stateDir struct {
	path string
	lock *os.File
}

// openState makes the folder and locks it. Where nobody chose it and it can't be made, there is none, and why says so.
func openState(cfg settings.State) (d *stateDir, why string, err error) {
	if cfg.Dir == "" {
		return nil, "", nil
	}
	if err = cfg.Write(); err == nil {
		d = &stateDir{path: cfg.Dir}
		if d.lock, err = os.Open(cfg.Dir); err == nil {
			err = unix.Flock(int(d.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
			if errors.Is(err, unix.EWOULDBLOCK) {
				err = errors.New("another gateway has its state there")
			}
		}
	}
	if err == nil {
		return d, "", nil
	}
	err = errors.Join(err, d.close())
	if cfg.Chosen {
		return nil, "", fmt.Errorf("state-dir %s: %w; name a folder that can be written and that no other gateway uses", cfg.Dir, err)
	}
	return nil, fmt.Sprintf("flow state does not outlive this process: %s: %v; name a folder with --state-dir", cfg.Dir, err), nil
}

func (d *stateDir) close() error {
	if d == nil || d.lock == nil {
		return nil
	}
	return d.lock.Close()
}

// open makes or takes over the replica of one stage and shard.
func (d *stateDir) open(cfg replica.Config, stage *dataplane.Stage, seed uint64, shard, shards int) (*replica.Replica, replica.Recovered, error) {
	if d == nil {
		r, err := replica.New(cfg)
		return r, replica.Recovered{}, err
	}
	cfg.Path = filepath.Join(d.path, fmt.Sprintf("%s.%d", strings.ReplaceAll(stage.Name, "/", "."), shard))
	cfg.Identity = replica.Identity{Stage: stage.Name, Functions: stage.Functions, Seed: seed, Shard: shard, Shards: shards}
	return replica.Open(cfg)
}

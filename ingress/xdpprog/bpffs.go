package xdpprog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// DefaultBPFFS is where systems mount the BPF file system.
const DefaultBPFFS = "/sys/fs/bpf"

// IsBPFFS reports whether a BPF file system is mounted at path.
func IsBPFFS(path string) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return false, err
	}
	return st.Type == unix.BPF_FS_MAGIC, nil
}

// MountBPFFS mounts a BPF file system at path unless one is there.
func MountBPFFS(path string) error {
	there, err := IsBPFFS(path)
	if err == nil && there {
		return nil
	}
	if err == nil {
		err = unix.Mount("bpf", path, "bpf", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700")
	}
	if err != nil {
		return fmt.Errorf("no BPF file system at %s to pin the XDP program in: %w; try: mount -t bpf bpf %s", path, err, path)
	}
	return nil
}

// pinDir is an instance's folder in the BPF file system, held by one process at a time.
type pinDir struct {
	path string
	lock *os.File
}

// lockPinDir makes <bpffs>/granule/<instance> and locks it: two gateways of one name would take each other's programs
// over in turns. The kernel drops the lock with the process, however that ends.
func lockPinDir(bpffs, instance string) (*pinDir, error) {
	if instance == "" || instance != filepath.Base(instance) || instance == "." || instance == ".." {
		return nil, fmt.Errorf("gateway instance name %q: expected a name that can be one folder's", instance)
	}
	if err := MountBPFFS(bpffs); err != nil {
		return nil, err
	}
	path := filepath.Join(bpffs, "granule", instance)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of pins: %w", err)
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the folder of pins: %w", err)
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = dir.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("gateway instance %q is already running (its pins in %s are locked); "+
				"stop it or choose another instance name", instance, path)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &pinDir{path: path, lock: dir}, nil
}

func (d *pinDir) file(name string) string { return filepath.Join(d.path, name) }

// unlock lets the next gateway in; with remove, the folders go too, if nothing is left in them.
func (d *pinDir) unlock(remove bool) error {
	if remove {
		if err := os.Remove(d.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return errors.Join(fmt.Errorf("remove the folder of pins: %w", err), d.lock.Close())
		}
		_ = os.Remove(filepath.Dir(d.path)) // stays while other instances have folders in it
	}
	return d.lock.Close()
}

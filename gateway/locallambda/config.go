package locallambda

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// The platform's published limits, as of November 2026.
const (
	// MaxTimeout is the longest an invocation may run.
	MaxTimeout = 900 * time.Second
	// MaxPayload is the largest request or response of a RequestResponse invocation, in bytes.
	MaxPayload = 6 << 20
	// MaxEventPayload is the largest request of an Event invocation, in bytes.
	MaxEventPayload = 1 << 20
	// MemoryPerCPU is the memory setting, in MB, that buys one whole vCPU.
	MemoryPerCPU = 1769
	// InitTimeout is how long a new environment may take to its first call of "next".
	InitTimeout = 10 * time.Second

	minMemoryMB = 128
	maxMemoryMB = 10240
)

// Config describes a Service. The zero value of every field but Functions is usable.
type Config struct {
	// Functions are what can be invoked; names are unique.
	Functions []Function
	// Region and Account appear in ARNs; "us-east-1" and "000000000000" unless given.
	Region, Account string
	// AccountConcurrency bounds running invocations over all functions; 1000 unless given, as on a new account.
	AccountConcurrency int
	// Listen is a TCP address for the Invoke API, for the AWS CLI and other clients outside this process.
	// Empty: no port is opened, Service.Client and Service.RoundTrip need none.
	Listen string
	// Launcher confines the functions' processes.
	Launcher Launcher
	// Seed makes the draws of faults with a probability repeatable.
	Seed uint64
	// Logger gets a line per life-cycle event (info) and per line that a function prints (debug); slog.Default unless given.
	Logger *slog.Logger
}

// Function is one deployable artifact and the limits it runs under.
type Function struct {
	// Name is what callers invoke: letters, digits, '-', '_', at most 64.
	Name string
	// Artifact is the path of the executable, the very file that is uploaded as "bootstrap".
	Artifact string
	// MemoryMB is the memory limit, 128 to 10240; 1769 (one vCPU) unless given.
	MemoryMB int
	// Timeout is the lifetime of one invocation; 900 s unless given. The platform counts whole seconds, tests may go below.
	Timeout time.Duration
	// ReservedConcurrency bounds this function's running invocations; 0 leaves only Config.AccountConcurrency.
	ReservedConcurrency int
	// CPUs is the share of processor time in vCPU; 0 takes MemoryMB/1769 as the platform does, a negative value lifts the limit.
	CPUs float64
	// UID and GID run the function as somebody else than the gateway, which has to be root for that; 0 keeps the
	// gateway's. The artifact's folder must be open to that user.
	UID, GID uint32
	// Environment is added to the platform's own variables. The gateway's environment is never passed on.
	Environment map[string]string
	// ColdStart is added before a new environment's process starts: download and sandbox boot on the platform.
	ColdStart time.Duration
	// FreezeIdle stops (SIGSTOP) an environment between invocations, as the platform does.
	FreezeIdle bool
	// IdleTimeout ends an environment that nobody used; 5 minutes unless given.
	IdleTimeout time.Duration
	// EventMaxAge is how long an Event invocation is retried while throttled; 60 s unless given.
	EventMaxAge time.Duration
}

var functionName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// withDefaults fills what was left out.
func (c Config) withDefaults() Config {
	c.Region = orDefault(c.Region, "us-east-1")
	c.Account = orDefault(c.Account, "000000000000")
	c.AccountConcurrency = orDefault(c.AccountConcurrency, 1000)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	functions := make([]Function, len(c.Functions))
	for i, f := range c.Functions {
		f.MemoryMB = orDefault(f.MemoryMB, MemoryPerCPU)
		f.Timeout = orDefault(f.Timeout, MaxTimeout)
		f.IdleTimeout = orDefault(f.IdleTimeout, 5*time.Minute)
		f.EventMaxAge = orDefault(f.EventMaxAge, time.Minute)
		f.CPUs = orDefault(f.CPUs, float64(f.MemoryMB)/MemoryPerCPU)
		functions[i] = f
	}
	c.Functions = functions
	return c
}

func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// Validate reports every contradiction at once, each naming the function and what was expected.
func (c Config) Validate() error {
	var errs []error
	if len(c.Functions) == 0 {
		errs = append(errs, errors.New("local lambda: no functions configured: at least one with a name and an artifact is expected"))
	}
	if c.AccountConcurrency < 0 {
		errs = append(errs, fmt.Errorf("local lambda: account concurrency is %d: expected 1 or more, or 0 for 1000", c.AccountConcurrency))
	}
	seen := make(map[string]bool, len(c.Functions))
	for i, f := range c.Functions {
		if seen[f.Name] {
			errs = append(errs, fmt.Errorf("local lambda: function %q is configured twice: give each a name of its own", f.Name))
		}
		seen[f.Name] = true
		errs = append(errs, f.validate(i))
	}
	return errors.Join(errs...)
}

func (f Function) validate(index int) error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("local lambda: function %q: %s", f.Name, fmt.Sprintf(format, args...)))
	}
	if !functionName.MatchString(f.Name) {
		errs = append(errs, fmt.Errorf("local lambda: functions[%d]: name %q: expected 1 to 64 letters, digits, '-' or '_'", index, f.Name))
	}
	switch info, err := os.Stat(f.Artifact); {
	case err != nil:
		fail("artifact: %v: build the worker and give the path of its bootstrap file", err)
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		fail("artifact %s is %s: expected an executable file (chmod +x)", f.Artifact, info.Mode())
	case !filepath.IsAbs(f.Artifact):
		fail("artifact %s: expected an absolute path, the function runs in its own folder", f.Artifact)
	}
	if f.MemoryMB != 0 && (f.MemoryMB < minMemoryMB || f.MemoryMB > maxMemoryMB) {
		fail("memory is %d MB: expected %d to %d", f.MemoryMB, minMemoryMB, maxMemoryMB)
	}
	if f.Timeout < 0 || f.Timeout > MaxTimeout {
		fail("timeout is %v: expected more than 0 and at most %v", f.Timeout, MaxTimeout)
	}
	if f.ReservedConcurrency < 0 {
		fail("reserved concurrency is %d: expected 0 (none reserved) or more", f.ReservedConcurrency)
	}
	if f.ColdStart < 0 || f.IdleTimeout < 0 || f.EventMaxAge < 0 {
		fail("cold start %v, idle timeout %v and event age %v: expected none below 0", f.ColdStart, f.IdleTimeout, f.EventMaxAge)
	}
	if (f.UID == 0) != (f.GID == 0) {
		fail("uid is %d and gid %d: expected both, or neither", f.UID, f.GID)
	}
	if f.UID != 0 && os.Geteuid() != 0 && os.Geteuid() != int(f.UID) {
		fail("uid is %d: only root can run a function as somebody else (this process runs as %d)", f.UID, os.Geteuid())
	}
	for name := range f.Environment {
		if reservedVariables[name] {
			fail("environment variable %s is set by the platform: choose another name", name)
		}
	}
	return errors.Join(errs...)
}

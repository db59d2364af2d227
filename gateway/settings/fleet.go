package settings

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/granule-nf/granule/gateway/locallambda"
)

// FunctionName is the worker's name in the embedded service, and the default elsewhere.
const FunctionName = "granule-worker"

// Fleet says where workers run and how they reach the gateway.
type Fleet struct {
	Remote    bool               // Lambda is elsewhere: AWS, or another emulator
	Lambda    locallambda.Remote // where
	Function  string             // which function
	Bootstrap string             // the artifact that the embedded service runs
	MemoryMB  int
	CPUs      float64
	ColdStart time.Duration
	Listen    string   // where workers dial in
	Advertise []string // host:port as workers see it; the listener's own address if empty
	TLS       bool
	Lifetime  time.Duration
	Join      time.Duration
	Whole     bool // workers return every packet whole: --ship full
	Seed      uint64
	Launcher  locallambda.Launcher // how local workers are confined
	UID, GID  uint32               // of local workers; 0: a user each, or the gateway's
}

// Validate refuses what can not work, before a port is touched. The error begins with the name of the setting.
func (c *Fleet) Validate() error {
	host, _, err := net.SplitHostPort(c.Listen)
	ip := net.ParseIP(host)
	switch {
	case err != nil:
		return fmt.Errorf("relay-listen: found %q, expected host:port: %w", c.Listen, err)
	case !c.TLS && !ip.IsLoopback():
		return fmt.Errorf("relay-tls is off but workers are listened for on %s: packets would cross a network in the clear; listen on loopback or leave TLS on", c.Listen)
	case c.Remote && c.Lambda.Endpoint == "" && os.Getenv("AWS_ENDPOINT_URL_LAMBDA") == "" && len(c.Advertise) == 0 && (ip.IsLoopback() || ip.IsUnspecified() || host == ""):
		return fmt.Errorf("relay-listen is %s: workers on AWS can't dial that; listen on an address of this machine that they reach, or name one with --relay-advertise", c.Listen)
	case c.Remote:
		return nil
	}
	if _, err := os.Stat(c.Bootstrap); err != nil {
		return fmt.Errorf("bootstrap %s: %w; build it with `make build`, or name it with --bootstrap", c.Bootstrap, err)
	}
	return nil
}

// cloud says which Lambda is called.
func (s *Run) cloud() error {
	if err := s.confine(); err != nil {
		return err
	}
	switch {
	case s.lambdaAt == "local" && os.Getenv("AWS_ENDPOINT_URL_LAMBDA") == "":
		if s.fleet.Bootstrap == "" {
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("where this program is: %w; name the worker's artifact with --bootstrap", err)
			}
			s.fleet.Bootstrap = filepath.Join(filepath.Dir(self), "bootstrap")
		}
	case s.lambdaAt == "local" || s.lambdaAt == "aws":
		s.fleet.Remote = true
	case strings.HasPrefix(s.lambdaAt, "http://") || strings.HasPrefix(s.lambdaAt, "https://"):
		s.fleet.Remote, s.fleet.Lambda.Endpoint = true, s.lambdaAt
	default:
		return fmt.Errorf("--lambda %s: expected local, aws, or a URL", s.lambdaAt)
	}
	return nil
}

package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Invocation is the document that an invocation carries as its payload, as JSON: everything a worker needs to join. It
// holds a secret: its String and its log value say who it is for and no more, and it is never printed otherwise.
type Invocation struct {
	Version     int      `json:"version"`
	Gateways    []string `json:"gateways"` // host:port, to be tried in order
	Worker      uint32   `json:"worker"`
	Epoch       uint32   `json:"epoch"`       // grows with each start of this worker
	Token       []byte   `json:"token"`       // TokenSize bytes, good for Connections joins before Expires
	Expires     int64    `json:"expires"`     // ns since the Unix epoch
	TLS         bool     `json:"tls"`         // false only where the gateway was told so
	GatewayKey  []byte   `json:"gateway_key"` // SHA-256 of the gateway's public key (SubjectPublicKeyInfo, DER)
	Connections int      `json:"connections"` // one for each shard of the gateway
	Heartbeat   Duration `json:"heartbeat"`   // how often the gateway sends a Ping
	Idle        Duration `json:"idle"`        // a connection silent for longer is lost
	Margin      Duration `json:"margin"`      // how long before its deadline the worker drains; 0 lets it choose

	// Whole has the worker return every packet that passes, changed or not, whole where it came whole: the reference that
	// other ways of shipping are compared with.
	Whole bool `json:"whole,omitempty"`

	// Stage is the stage to run, as package nf's Bundle without its files; Files are those, packed by PackFiles.
	Stage json.RawMessage `json:"stage"`
	Files []byte          `json:"files,omitempty"`
}

// MaxConnections is how many connections a worker is asked for at most.
const MaxConnections = 256

// Validate reports what makes the document unusable.
func (i *Invocation) Validate() error {
	switch {
	case i.Version != Version:
		return fmt.Errorf("invocation: protocol version %d, this worker speaks %d: deploy gateway and worker of one release", i.Version, Version)
	case len(i.Gateways) == 0:
		return errors.New("invocation: no gateway address")
	case len(i.Token) != TokenSize:
		return fmt.Errorf("invocation: token of %d bytes, expected %d", len(i.Token), TokenSize)
	case i.TLS && len(i.GatewayKey) != 32:
		return fmt.Errorf("invocation: gateway_key of %d bytes, expected the 32 of a SHA-256", len(i.GatewayKey))
	case i.Connections < 1 || i.Connections > MaxConnections:
		return fmt.Errorf("invocation: %d connections, expected 1 to %d", i.Connections, MaxConnections)
	case i.Idle < 0 || i.Heartbeat < 0 || i.Margin < 0:
		return errors.New("invocation: a negative duration")
	case i.Idle > 0 && i.Heartbeat >= i.Idle:
		return fmt.Errorf("invocation: heartbeat every %v but idle after %v: a silent link would be taken for a dead one", time.Duration(i.Heartbeat), time.Duration(i.Idle))
	}
	for _, a := range i.Gateways {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return fmt.Errorf("invocation: gateway address %q is not host:port", a)
		}
	}
	return nil
}

// String names the worker and keeps the secret.
func (i Invocation) String() string { return fmt.Sprintf("worker %d epoch %d", i.Worker, i.Epoch) }

// Format keeps every verb, %+v and %#v too, from printing the secret.
func (i Invocation) Format(f fmt.State, _ rune) { fmt.Fprint(f, i.String()) }

// LogValue keeps a structured log from printing the secret.
func (i Invocation) LogValue() slog.Value { return slog.StringValue(i.String()) }

// Zero overwrites the token. An environment is used again for other invocations.
func (i *Invocation) Zero() {
	clear(i.Token)
	i.Token = nil
}

// Duration is a time.Duration as a string such as "1.5s" in JSON.
type Duration time.Duration

// MarshalText returns the text of time.Duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

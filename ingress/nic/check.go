package nic

import "fmt"

// State is how a check came out.
type State uint8

// The states, best first.
const (
	OK State = iota
	Warn
	Fail // granule run would refuse
)

// String returns "ok", "warn" or "fail".
func (s State) String() string { return [...]string{"ok", "warn", "fail"}[s] }

// MarshalText makes it a word in JSON.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Check is one thing looked at.
type Check struct {
	Subject  string `json:"subject"` // an interface, or "system"
	Name     string `json:"check"`
	State    State  `json:"state"`
	Found    string `json:"found"`
	Expected string `json:"expected"`
	Mend     string `json:"mend,omitempty"` // the command that mends it; empty where all is well, or no command can
}

func check(subject, name string, ok bool, otherwise State, found, expected, mend string) Check {
	c := Check{Subject: subject, Name: name, State: otherwise, Found: found, Expected: expected, Mend: mend}
	if ok {
		c.State, c.Mend = OK, ""
	}
	return c
}

func yes(b bool, is, isNot string) string {
	if b {
		return is
	}
	return isNot
}

func number(n int) string { return fmt.Sprint(n) }

package main

import (
	"errors"
	"strings"
	"testing"
)

func TestCompiler(t *testing.T) {
	for _, c := range []struct {
		name            string
		there, root     bool
		apt             bool
		works           bool // apt-get brings one
		lack            string
		calls           string
		announcesItself bool
	}{
		{name: "there is one", there: true, root: true, apt: true},
		{name: "a developer", apt: true, works: true, lack: "no C compiler (as root: apt-get install gcc libc6-dev)"},
		{name: "root, another distribution", root: true, lack: "no C compiler (as root: apt-get install gcc libc6-dev)"},
		{name: "root", root: true, apt: true, works: true, calls: "update install", announcesItself: true},
		{name: "root without a network", root: true, apt: true, lack: "no C compiler, and it could not be installed (apt-get install gcc libc6-dev)", calls: "update install", announcesItself: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var calls, said []string
			there := c.there
			m := machine{compiles: func() bool { return there }, root: c.root, say: func(s string) { said = append(said, s) }}
			if c.apt {
				m.apt = func(args ...string) error {
					calls = append(calls, args[0])
					there = there || c.works && args[0] == "install"
					if !c.works {
						return errors.New("no network")
					}
					return nil
				}
			}
			if lack := m.compiler(); lack != c.lack {
				t.Errorf("%q; expected %q", lack, c.lack)
			}
			if got := strings.Join(calls, " "); got != c.calls {
				t.Errorf("apt-get %s; expected %s", got, c.calls)
			}
			if announced := len(said) > 0 && strings.Contains(said[0], install); announced != c.announcesItself {
				t.Errorf("said %q", said)
			}
		})
	}
}

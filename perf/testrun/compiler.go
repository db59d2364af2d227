package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// The race detector is linked by cgo. Go alone brings no C compiler, and then every package of the race run fails to build.

// install is what gives a Debian machine one.
const install = "apt-get install gcc libc6-dev"

// machine is what it takes to have a C compiler, so that tests need none.
type machine struct {
	compiles func() bool           // a C compiler is there, with the headers of a libc
	root     bool                  // and may install
	apt      func(...string) error // nil where there is none
	say      func(string)
}

func thisMachine() machine {
	m := machine{compiles: compiles, root: os.Geteuid() == 0, say: func(s string) { fmt.Println(s) }}
	if path, err := exec.LookPath("apt-get"); err == nil {
		m.apt = func(args ...string) error {
			cmd := exec.Command(path, args...)
			cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("apt-get %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
			}
			return nil
		}
	}
	return m
}

// compiler sees to it that there is a C compiler, and says what it does for that. It returns why there is none.
func (m machine) compiler() (lack string) {
	switch {
	case m.compiles():
		return ""
	case !m.root || m.apt == nil:
		return "no C compiler (as root: " + install + ")"
	}
	m.say("the race detector needs a C compiler and there is none: " + install)
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", "gcc", "libc6-dev"}} {
		if err := m.apt(args...); err != nil {
			m.say(err.Error())
		}
	}
	if !m.compiles() {
		return "no C compiler, and it could not be installed (" + install + ")"
	}
	return ""
}

// compiles asks for what cgo's own preamble needs, of the compiler that go would run.
func compiles() bool {
	cc, err := exec.Command("go", "env", "CC").Output()
	words := strings.Fields(string(cc))
	if err != nil || len(words) == 0 {
		return false
	}
	cmd := exec.Command(words[0], append(words[1:], "-E", "-x", "c", "-", "-o", os.DevNull)...)
	cmd.Stdin = strings.NewReader("#include <stdlib.h>\n")
	return cmd.Run() == nil
}

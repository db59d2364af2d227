// Command fuzzall runs every fuzz target of the module for a moment each, one after the other, since `go test -fuzz` takes
// one at a time.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() {
	each := flag.Duration("time", 3*time.Second, "for each target")
	flag.Parse()
	out, err := exec.Command("go", "test", "-list", "^Fuzz", "./...").Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "listing fuzz targets:", err)
		os.Exit(1)
	}
	var targets []string
	ran, failed := 0, 0
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 1 && strings.HasPrefix(f[0], "Fuzz"):
			targets = append(targets, f[0])
		case len(f) >= 2 && f[0] == "ok": // closes the list of its package
			for _, t := range targets {
				ran++
				if !fuzz(f[1], t, *each) {
					failed++
				}
			}
			targets = nil
		}
	}
	fmt.Printf("fuzzed %d targets for %s each, %d failed\n", ran, *each, failed)
	if failed > 0 || ran == 0 {
		os.Exit(1)
	}
}

func fuzz(pkg, target string, d time.Duration) bool {
	cmd := exec.Command("go", "test", "-run", "^$", "-fuzz", "^"+target+"$", "-fuzztime", d.String(), "-fuzzminimizetime", "1x", pkg)
	out, err := cmd.CombinedOutput()
	// The engine now and then reports its own deadline as a failure; what it finds it writes to a file.
	ownDeadline := strings.Contains(string(out), "context deadline exceeded") && !strings.Contains(string(out), "Failing input")
	if err != nil && !ownDeadline {
		fmt.Printf("FAIL %s %s\n%s", pkg, target, out)
		return false
	}
	fmt.Printf("ok   %s %s\n", pkg, target)
	return true
}

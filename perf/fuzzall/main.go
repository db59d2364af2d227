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
	list := exec.Command("go", "test", "-list", "^Fuzz", "./...")
	list.Stderr = os.Stderr // what doesn't compile says so there
	out, err := list.Output()
	if err != nil {
		fmt.Fprintf(os.Stderr, "listing fuzz targets: %v\n%s", err, out)
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
	if err != nil && !ownDeadline(string(out)) {
		fmt.Printf("FAIL %s %s\n%s", pkg, target, out)
		return false
	}
	fmt.Printf("ok   %s %s\n", pkg, target)
	return true
}

// ownDeadline reports whether output is nothing but the engine's own deadline (-fuzztime) told as a failure, as it now and then
// is: one failed test, the fuzz target itself, that says this one line. What the engine finds it writes to a file and says so; a
// target that fails with these words says in which file and line it does.
func ownDeadline(output string) bool {
	failed, said := 0, 0
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "--- FAIL: "):
			failed++
		case line == "    context deadline exceeded":
			said++
		case strings.HasPrefix(line, " "), strings.HasPrefix(line, "panic:"):
			return false
		}
	}
	return failed == 1 && said == 1
}

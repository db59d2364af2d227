// Command testrun is `make test`: every test, once plainly (allocation tests mean something only so) and once with the
// race detector, and at the end the name of every test that was skipped, with its reason.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strings"
	"time"
)

// event is a line of `go test -json` (go doc test2json).
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

type result struct {
	packages       int // in one pass
	passed, failed int
	skipped        map[string]string // test -> reason
}

// forecast says how long the run will take, as far as that is known before it: of everything it is.
func forecast(packages int, everything bool) string {
	text := fmt.Sprintf("%d packages, each once plainly and once with the race detector", packages)
	if everything {
		text += ": about 20 minutes on two processors that have nothing else to do"
	}
	return text + ".\nEach is named with its number when it is done; skipped tests are named at the end, with their reasons."
}

func main() {
	packages := os.Args[1:]
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	all := result{skipped: map[string]string{}}
	if list, err := exec.Command("go", append([]string{"list"}, packages...)...).Output(); err == nil { // what is wrong with them the tests will tell
		all.packages = strings.Count(string(list), "\n")
		fmt.Println(forecast(all.packages, len(os.Args) == 1))
	}
	for _, pass := range []struct {
		name string
		args []string
		env  []string
	}{
		{"plain", nil, []string{"CGO_ENABLED=0"}},
		{"race", []string{"-race"}, []string{"CGO_ENABLED=1"}},
	} {
		if pass.name == "race" {
			if lack := thisMachine().compiler(); lack != "" {
				all.skipped["race run"] = lack
				continue
			}
		}
		started := time.Now()
		if err := run(pass.name, append(append([]string{"test", "-json", "-timeout", "15m"}, pass.args...), packages...), pass.env, &all); err != nil {
			fmt.Fprintln(os.Stderr, err)
			all.failed++
		}
		fmt.Printf("%s run took %s\n", pass.name, time.Since(started).Round(time.Second))
	}
	names := make([]string, 0, len(all.skipped))
	for n := range all.skipped {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		fmt.Printf("skipped %s: %s\n", n, all.skipped[n])
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", all.passed, all.failed, len(all.skipped))
	if all.failed > 0 || all.passed == 0 {
		os.Exit(1)
	}
}

// run runs go with args and adds what its tests say to all. Output of what failed is printed, that of the rest is not.
func run(pass string, args, env []string, all *result) error {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	output := map[string]*strings.Builder{}
	done := 0
	lines := bufio.NewScanner(out)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text())
			continue
		}
		name := e.Package + " " + e.Test
		if e.Test == "" && (e.Action == "pass" || e.Action == "skip" || e.Action == "fail") {
			done++
		}
		switch e.Action {
		case "output", "build-output":
			if output[name] == nil {
				output[name] = &strings.Builder{}
			}
			if output[name].Len() < 64<<10 {
				output[name].WriteString(e.Output)
			}
		case "pass":
			if e.Test != "" {
				all.passed++
			} else {
				fmt.Printf("ok   %-5s %d/%d %s %.1fs\n", pass, done, all.packages, e.Package, e.Elapsed)
			}
			delete(output, name)
		case "skip":
			if e.Test != "" {
				all.skipped[strings.TrimPrefix(name, "github.com/granule-nf/granule/")] = reason(output[name])
			}
			delete(output, name)
		case "fail", "build-fail":
			all.failed++
			fmt.Printf("FAIL %-5s %s\n", pass, name)
			if b := output[name]; b != nil {
				fmt.Print(b.String())
			}
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return cmd.Wait()
}

// reason is the last thing a skipped test said.
func reason(b *strings.Builder) string {
	if b == nil {
		return "no reason given"
	}
	last := "no reason given"
	for l := range strings.Lines(b.String()) {
		l = strings.TrimSpace(l)
		if l != "" && !strings.HasPrefix(l, "===") && !strings.HasPrefix(l, "---") {
			last = l
		}
	}
	return last
}

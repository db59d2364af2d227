// Command suricatadiff compares the alerts of `granule replay` with Suricata's, over random HTTP dialogues: requests and replies as clients,
// servers and attackers make them, cut into random segments, some of them repeated or swapped.
//
// Suricata is named by -suricata or GRANULE_SURICATA: its binary, or chroot:DIR for one that is installed in a root of its own. Without
// one there is nothing to compare with, which is said by name and is no failure.
//
// An alert that Suricata raises and granule does not is a failure, always. One that granule raises alone has to have a reason (reasons.go).
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
)

func main() {
	suricata := flag.String("suricata", os.Getenv("GRANULE_SURICATA"), "Suricata's binary, or chroot:DIR")
	granule := flag.String("granule", "bin/granule", "the binary to compare")
	n := flag.Int("n", 2000, "dialogues")
	seed := flag.Uint64("seed", 1, "of the dialogues; the same seed makes the same ones")
	flag.Parse()
	if *suricata == "" {
		fmt.Println("suricata-diff: SKIPPED: no Suricata; set GRANULE_SURICATA to its binary, or to chroot:DIR")
		return
	}
	if err := run(*suricata, *granule, *n, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "suricata-diff:", err)
		os.Exit(1)
	}
}

// run makes the dialogues, has both judge them, and returns an error if a difference has no reason.
func run(suricata, granule string, n int, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, seed))
	all := make([]dialogue, n)
	for i := range all {
		all[i] = randomDialogue(rng)
	}
	p, err := newPlace(suricata)
	if err != nil {
		return err
	}
	defer p.remove()
	if err := p.write(all, rng); err != nil {
		return err
	}
	theirs, err := p.suricata()
	if err != nil {
		return err
	}
	ours, err := p.granule(granule)
	if err != nil {
		return err
	}
	same, explained, bad := 0, map[string]int{}, 0
	for i := range all {
		a, b := theirs[port(i)], ours[port(i)]
		if a == b {
			same++
			continue
		}
		if reason := reasonFor(&all[i], a, b); reason != "" {
			explained[reason]++
			continue
		}
		if bad++; bad <= 20 {
			fmt.Printf("dialogue %d of seed %d: Suricata %v, granule %v\n  client: %.300q\n  server: %.300q\n", i, seed, a, b, all[i].parts(0), all[i].parts(1))
		}
	}
	fmt.Printf("suricata-diff: %d dialogues, %d the same\n", n, same)
	reasons := make([]string, 0, len(explained))
	for r := range explained {
		reasons = append(reasons, r)
	}
	slices.Sort(reasons)
	for _, r := range reasons {
		fmt.Printf("  %6d more is found: %s\n", explained[r], r)
	}
	if bad > 0 {
		return fmt.Errorf("%d dialogues differ for no known reason", bad)
	}
	return nil
}

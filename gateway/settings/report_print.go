package settings

import (
	"fmt"
	"io"
	"strings"

	"github.com/granule-nf/granule/gateway/chain"
)

// Print writes the plan for a person. The error is that of w.
func (r *Report) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: all right", r.Config)
	for _, f := range r.LeftOut() {
		fmt.Fprintf(&b, ", but %d of %d rules of %s are left out", f.LeftOut, f.Loaded+f.LeftOut, f.Name)
	}
	b.WriteByte('\n')
	for _, p := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s:%d:%d: %s\n", p.File, p.Line, p.Column, p.Message)
	}
	for _, c := range r.Chains {
		match := c.Match
		if match == "" {
			match = "every flow"
		}
		fmt.Fprintf(&b, "\nchain %s: %s\n", c.Name, strings.Join(strings.Fields(match), " "))
		if !c.VLAN {
			fmt.Fprintf(&b, "  frames with a VLAN tag do not match (as with tcpdump); write `EXPRESSION or (vlan and (EXPRESSION))` to take them too\n")
		}
		for _, path := range c.Paths {
			fmt.Fprintf(&b, "  %s\n", path)
		}
		fmt.Fprintf(&b, "  one worker sees %s\n", c.Affinity)
		if c.Fails == "open" {
			fmt.Fprintf(&b, "  packets on which a function fails pass it\n")
		}
		for i, s := range c.Stages {
			s.print(&b, i)
		}
	}
	fmt.Fprintf(&b, "\nflows that no chain wants: %s\n", r.Unmatched)
	if r.Memory != nil {
		fmt.Fprintf(&b, "memory of the gateway, with one queue on each port: %s\n", r.Memory)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *ReportStage) print(b *strings.Builder, i int) {
	fmt.Fprintf(b, "  stage %d: %s\n", i, strings.Join(s.Functions, ", "))
	fmt.Fprintf(b, "    ships %s; gets back %s\n", s.Ships, s.Returns)
	fmt.Fprintf(b, "    memory of a worker %s; its invocation carries %s of %s\n", size(s.Memory), size(int64(s.Payload)), size(chain.MaxPayload))
	for _, f := range s.Files {
		fmt.Fprintf(b, "    %s: %s", f.Name, size(int64(f.Bytes)))
		if all := f.Loaded + f.LeftOut; all > 0 {
			fmt.Fprintf(b, ", %d of %d rules load (%.1f %%)", f.Loaded, all, 100*float64(f.Loaded)/float64(all))
		} else if f.Counted > 0 {
			fmt.Fprintf(b, ", rules with a counter: %d", f.Counted)
		}
		b.WriteByte('\n')
	}
	for _, p := range s.Warnings {
		fmt.Fprintf(b, "    %s:%d:%d: %s\n", p.File, p.Line, p.Column, p.Message)
	}
}

// size writes bytes in the unit that leaves up to four digits.
func size(n int64) string {
	switch {
	case n < 10<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 10<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

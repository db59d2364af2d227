package chain

import (
	"strings"
	"testing"
)

func TestOrder(t *testing.T) {
	const nat = "probe-nat: {}"
	for _, tt := range []struct{ name, order, stages, there, back, refused string }{
		{"symmetric, unsaid", "", "[[{probe: {}}, {" + nat + "}], [{probe-inside: {}}]]", "inside > probe, probe-nat | probe-inside > outside", "outside > probe-inside | probe-nat, probe > inside", ""},
		{"symmetric", "order: symmetric, ", "[[{probe: {}}, {" + nat + "}]]", "inside > probe, probe-nat > outside", "outside > probe-nat, probe > inside", ""},
		{"fixed", "order: fixed, ", "[[{probe: {}}], [{probe-inside: {}}]]", "inside > probe | probe-inside > outside", "outside > probe | probe-inside > inside", ""},
		{"fixed, with a translator", "order: fixed, ", "[[{probe: {}}], [{" + nat + "}]]", "", "", "g:1:74: probe-nat translates addresses, which order: fixed of chain edge does not allow"},
		{"no order", "order: up, ", "[[{probe: {}}]]", "", "", "g:1:30: order: found up; expected symmetric"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse("g", []byte("chains: [{name: edge, "+tt.order+"stages: "+tt.stages+"}]\n"))
			var plan *Plan
			if err == nil {
				plan, err = c.Compile(Options{Flows: 64})
			}
			if tt.refused != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.refused) {
					t.Fatalf("%v, expected %s", err, tt.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if there, back := plan.Chains[0].Paths(); there != tt.there || back != tt.back {
				t.Errorf("%s and %s, want %s and %s", there, back, tt.there, tt.back)
			}
		})
	}
}

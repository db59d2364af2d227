package main

import (
	"slices"
	"testing"

	"github.com/granule-nf/granule/gateway/pktgen"
)

func TestSizesAreRead(t *testing.T) {
	for text, want := range map[string][]pktgen.Share{
		"64":         {{Size: 64, Weight: 1}},
		"64:7,594:4": {{Size: 64, Weight: 7}, {Size: 594, Weight: 4}},
		"IMIX":       pktgen.IMIX,
		"":           nil, "64,": nil, "a": nil, "64:": nil, "64:x": nil,
	} {
		got, err := parseSizes(text)
		if !slices.Equal(got, want) || (err != nil) != (want == nil) {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
}

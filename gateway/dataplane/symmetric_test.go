package dataplane

import (
	"fmt"
	"testing"

	"github.com/granule-nf/granule/ingress"
)

func TestStagesAreMetInReverseFromOutside(t *testing.T) {
	for _, tt := range []struct {
		chain Chain
		from  ingress.Side
		want  string
	}{
		{Chain{Stages: 3}, ingress.Inside, "[0 1 2]"},
		{Chain{Stages: 3}, ingress.Outside, "[2 1 0]"},
		{Chain{Stages: 3, Fixed: true}, ingress.Outside, "[0 1 2]"},
		{Chain{Stages: 1}, ingress.Outside, "[0]"},
	} {
		var met []uint8
		for stage, more := tt.chain.entry(tt.from), true; more; stage, more = tt.chain.next(stage, tt.from) {
			met = append(met, stage)
		}
		if got := fmt.Sprintf("%d", met); got != tt.want {
			t.Errorf("%+v from %v: stages %v, want %v", tt.chain, tt.from, got, tt.want)
		}
	}
}

package chain

import (
	"reflect"
	"strings"
	"testing"
)

// A stage that is a list and one that is a mapping of nothing but functions are the same.
func TestStageAsMapping(t *testing.T) {
	list, err := Parse("g", []byte("chains:\n  - name: a\n    stages:\n      - - probe: {limit: 3}\n        - probe-inside: {}\n"))
	if err != nil {
		t.Fatal(err)
	}
	mapping, err := Parse("g", []byte("chains:\n  - name: a\n    stages:\n      - functions: [{probe: {limit: 3}}, {probe-inside: {}}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	a, b := list.Chains[0].Stages, mapping.Chains[0].Stages
	for i := range a[0].Functions { // they stand elsewhere
		a[0].Functions[i].Line, a[0].Functions[i].Column = b[0].Functions[i].Line, b[0].Functions[i].Column
	}
	a[0].Place = b[0].Place
	if !reflect.DeepEqual(a, b) {
		t.Errorf("a list is %+v, a mapping %+v", a, b)
	}
	plan, err := mapping.Compile(Options{})
	if err != nil || len(plan.Chains[0].Stages[0].Bundle.NFs) != 2 {
		t.Errorf("%v, %+v; expected a stage of two functions", err, plan)
	}
}

// What a stage says beside its functions is read and checked, and what nothing obeys yet is refused by its name.
func TestStageKeys(t *testing.T) {
	stage := func(text string) string { return "chains:\n  - name: a\n    stages:\n      - " + text + "\n" }
	const fs = "functions: [{probe: {}}]"
	for _, tt := range []struct{ name, text, want string }{
		{"no functions", "{}", "g:4:9: the stage has no functions"},
		{"functions are a mapping", "functions: {probe: {}}", "g:4:20: found a mapping; expected a list of functions"},
		{"unknown key", "{" + fs + ", worker: 3}", "g:4:36: unknown key \"worker\" in a stage; expected one of functions, workers, memory, fallback; did you mean \"workers\"?"},
		{"workers not a mapping", "{" + fs + ", workers: 3}", "g:4:45: found a number; expected a mapping, such as {min: 1, max: 16, standby: 1}"},
		{"no such bound", "{" + fs + ", workers: {maximum: 3}}", "g:4:46: unknown key \"maximum\" in workers; expected one of min, max, standby"},
		{"bounds that cross", "{" + fs + ", workers: {min: 4, max: 3}}", "g:4:59: workers: max is 3, below min, which is 4; expected at least as many"},
		{"no workers", "{" + fs + ", workers: {max: 0}}", "g:4:51: workers: max: found 0; expected a whole number, 1 or more"},
		{"half a worker", "{" + fs + ", workers: {standby: 0.5}}", "g:4:55: workers: standby: found 0.5; expected a whole number, 0 or more"},
		{"memory in words", "{" + fs + ", memory: much}", "g:4:44: memory: found much; expected a whole number, 1 or more"},
		{"fallback is a number", "{" + fs + ", fallback: 3}", "g:4:46: found a number, 3; expected the name of a place where workers start"},
		{"memory", "{" + fs + ", memory: 256}", "g:4:36: stage key `memory` is not supported yet: "},
		{"fallback", "{" + fs + ", fallback: local}", "g:4:36: stage key `fallback` is not supported yet: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("g", []byte(stage(tt.text)))
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}

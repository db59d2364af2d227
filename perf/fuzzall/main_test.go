package main

import "testing"

// Only the engine's own deadline is no finding; whatever a target says is one, with the same words too.
func TestOwnDeadline(t *testing.T) {
	const fuzzing = "fuzz: elapsed: 0s, gathering baseline coverage: 0/9 completed\nfuzz: elapsed: 3s, execs: 91 (30/sec), new interesting: 0 (total: 9)\n"
	for _, c := range []struct {
		name, output string
		want         bool
	}{
		{"the engine's own", fuzzing + "--- FAIL: FuzzX (3.01s)\n    context deadline exceeded\nFAIL\nexit status 1\nFAIL\texample.org/x\t3.1s\n", true},
		{"a target that says so", fuzzing + "--- FAIL: FuzzX (1.00s)\n    --- FAIL: FuzzX (0.00s)\n        x_test.go:9: read: context deadline exceeded\n    \nFAIL\n", false},
		{"a seed that says so", "--- FAIL: FuzzX (0.00s)\n    --- FAIL: FuzzX/seed#0 (0.00s)\n        x_test.go:9: context deadline exceeded\nFAIL\n", false},
		{"a finding", fuzzing + "--- FAIL: FuzzX (0.10s)\n    --- FAIL: FuzzX (0.00s)\n        x_test.go:9: wrong\n    \n    Failing input written to testdata/fuzz/FuzzX/0\nFAIL\n", false},
		{"a panic with a deadline", "--- FAIL: FuzzX (0.10s)\n    context deadline exceeded\npanic: no\n", false},
		{"what doesn't compile", "# example.org/x\n./x.go:1:1: context deadline exceeded\nFAIL\texample.org/x [build failed]\n", false},
		{"silence", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := ownDeadline(c.output); got != c.want {
				t.Errorf("%v for\n%s", got, c.output)
			}
		})
	}
}

package settings

import (
	"bytes"
	"strings"
	"testing"
)

// Each problem is a line that can stand alone: who speaks, the place, what was found, what is expected.
func TestEveryProblemIsALine(t *testing.T) {
	_, _, err := loadText(t, oneChain+"slots: 3\nslotz: 4\n", nil)
	var b bytes.Buffer
	PrintProblems(&b, err)
	_, _, err = loadText(t, oneChain+"burst: 0\nflush-after: 5s\nmax-delay: 2s\n", map[string]string{"GRANULE_FLOW_IDLE": "-1s"}, "--flows=2")
	PrintProblems(&b, err)
	_, _, err = loadText(t, strings.Replace(oneChain, "edge.nft", "none.nft", 1)+"standby: many\n", nil)
	PrintProblems(&b, err)
	var got []string
	for line := range strings.Lines(b.String()) {
		before, after, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "granule.yaml:")
		if ok {
			line = before[:strings.LastIndex(before, " ")+1] + "granule.yaml:" + after
		}
		got = append(got, strings.TrimSuffix(line, "\n"))
	}
	want := []string{
		`granule: granule.yaml:6:1: unknown key "slotz"; expected chains or a setting (did you mean slots?); ` + "`granule run --help` lists them",
		"granule: flag --flows: 2 flow table entries; 16 to 67108864 are possible",
		"granule: granule.yaml:5:1: burst: 0 frames; 1 to 256 are possible",
		"granule: environment variable GRANULE_FLOW_IDLE: flow-idle: -1s; a time above 0 is expected",
		"granule: granule.yaml:6:1: flush-after: 5s; 0 or more is expected, and less than max-delay, which is 2s",
		"granule: granule.yaml:5:10: standby: found \"many\", expected int: strconv.ParseInt: parsing \"many\": invalid syntax",
		"granule: granule.yaml:4:29: none.nft: ",
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines:\n%s", len(got), strings.Join(got, "\n"))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("line %d\n got %s\nwant %s", i+1, got[i], want[i])
		}
	}
}

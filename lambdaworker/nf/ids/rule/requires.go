package rule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// engineVersion is the version of Suricata whose rules are meant, for the keyword requires.
var engineVersion = [3]int{9, 0, 0}

// features are what a rule may require by the name that Suricata gives it.
var features = []string{"ja3", "ja4"}

// requires is a list of  version >= 7.0.3 < 8 | >= 8.0.1 ,  feature ja3  and  keyword dns.query . A rule that requires what isn't here is
// left out.
func (p *parser) requires(arg string, _ int) error {
	for _, w := range commas(arg) {
		n := strings.IndexAny(w+" ", " <>=")
		kind, what := w[:n], strings.TrimSpace(w[n:])
		met := false
		switch kind {
		case "version":
			for _, alternative := range strings.Split(what, "|") {
				ok, err := versionIs(alternative)
				if err != nil {
					return err
				}
				met = met || ok
			}
		case "feature":
			met = slices.Contains(features, what)
		case "keyword":
			_, met = keywords[strings.ToLower(what)]
		default:
			return fmt.Errorf("%q is neither version, feature nor keyword", w)
		}
		if !met {
			return fmt.Errorf("%s is not met here", w)
		}
	}
	return nil
}

// versionIs reports whether all comparisons of s, as >= 7.0.3 < 8, hold.
func versionIs(s string) (bool, error) {
	s = strings.TrimSpace(s)
	all := s != ""
	for s != "" {
		n := len(s) - len(strings.TrimLeft(s, "<>="))
		op := s[:n]
		s = strings.TrimSpace(s[n:])
		end := strings.IndexAny(s, " <>=")
		if end < 0 {
			end = len(s)
		}
		c, err := compareVersion(s[:end])
		if err != nil {
			return false, err
		}
		s = strings.TrimSpace(s[end:])
		switch op {
		case "<":
			all = all && c < 0
		case "<=":
			all = all && c <= 0
		case ">":
			all = all && c > 0
		case ">=":
			all = all && c >= 0
		default:
			return false, fmt.Errorf("%q is no comparison of versions; < <= > >= are", op)
		}
	}
	return all, nil
}

// compareVersion says where engineVersion stands to v: below, at or above 0.
func compareVersion(v string) (int, error) {
	parts := strings.Split(strings.SplitN(v, "-", 2)[0], ".")
	if len(parts) > len(engineVersion) {
		return 0, fmt.Errorf("%q is no version", v)
	}
	var want [3]int
	for i := range parts {
		var err error
		if want[i], err = strconv.Atoi(parts[i]); err != nil || want[i] < 0 {
			return 0, fmt.Errorf("%q is no version", v)
		}
	}
	return slices.Compare(engineVersion[:], want[:]), nil
}

package rule

import (
	"strings"
	"testing"
)

func TestRequires(t *testing.T) {
	for _, c := range []struct{ arg, problem string }{
		{"version >= 7.0.3", ""},
		{"version >= 7.0.3 < 8", "not met"},
		{"version >= 7.0.3 < 8 | >= 8.0.1", ""},
		{"version>=9", ""},
		{"version > 9.0.0", "not met"},
		{"version <= 9.0.0-dev", ""},
		{"version >= 7.x", "no version"},
		{"version = 7", "no comparison"},
		{"feature ja3, version >= 6", ""},
		{"feature geoip", "not met"},
		{"keyword dns.query", ""},
		{"keyword smb.share", "not met"},
		{"luck", "neither version"},
	} {
		s := NewSet(DefaultVars(Vars{}), nil)
		s.Add("x", "alert tcp any any -> any any (requires:"+c.arg+"; sid:1;)")
		got := ""
		if len(s.Problems) > 0 {
			got = s.Problems[0].Message
		}
		if (got == "") != (c.problem == "") || !strings.Contains(got, c.problem) || len(s.Rules)+len(s.Problems) != 1 {
			t.Errorf("%s: %q, want %q", c.arg, got, c.problem)
		}
	}
}

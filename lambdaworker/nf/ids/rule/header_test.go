package rule

import "testing"

// Mistakes of the header name the rule too, and 0 stands for a rule without sid alone.
func TestHeaderProblemsNameTheRule(t *testing.T) {
	for _, c := range []struct {
		text, keyword string
		sid           uint32
	}{
		{`alert smbx any any -> any any (msg:"x"; sid:7;)`, "protocol smbx", 7},
		{`alert tcp any any <- any any (msg:"x"; sid:8;)`, "direction", 8},
		{`alarm tcp any any -> any any (msg:"x"; sid: 9; rev:1;)`, "action", 9},
		{`alert tcp $UNKNOWN any -> any any (sid:10;)`, "source address", 10},
		{`alert tcp any any -> any $UNKNOWN (sid:11;)`, "destination port", 11},
		{`alert smbx any any -> any any (msg:"no sid";)`, "protocol smbx", 0},
		{`config anything`, "action", 0},
	} {
		s := NewSet(DefaultVars(Vars{}), nil)
		if n := s.Add("r", c.text); n != 0 || len(s.Problems) != 1 || s.Problems[0].SID != c.sid || s.Problems[0].Keyword != c.keyword {
			t.Errorf("%s: %d loaded, problems %+v; expected one of sid %d, %s", c.text, n, s.Problems, c.sid, c.keyword)
		}
	}
}

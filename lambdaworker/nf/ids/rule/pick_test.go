package rule

import "testing"

func TestMulti(t *testing.T) {
	values := func(v ...uint64) func(int) (uint64, bool) {
		return func(i int) (uint64, bool) {
			if i >= len(v) {
				return 0, false
			}
			return v[i], true
		}
	}
	for _, c := range []struct {
		arg              string
		one, mixed, none bool // of {1}, {1, 2, 1} and {}
	}{
		{"1", true, true, false},
		{"a", true, true, false},
		{"!1", false, true, false},
		{"1,any", true, true, false},
		{"1,all", true, false, false},
		{"1,all_or_absent", true, false, true},
		{"2,or_absent", false, true, true},
		{"1,nb2", false, true, false},
		{"1,nb<2", true, false, true},
		{"1,0", true, true, false},
		{"2,1", false, true, false},
		{"1,-1", true, true, false},
		{"2,-2", false, true, false},
		{"1,oob_or 1", true, false, true},
		{"1,all,1:2", false, false, false},
		{"2,all,1:2", false, true, false},
		{"1,any,-1:0", true, true, false},
		{"count >2", false, true, false},
		{"count 0", false, false, true},
	} {
		r, p, err := multi(c.arg, 65535, dnsTypes)
		if err != nil {
			t.Errorf("%s: %v", c.arg, err)
			continue
		}
		if one, mixed, none := p.Holds(r, values(1)), p.Holds(r, values(1, 2, 1)), p.Holds(r, values()); one != c.one || mixed != c.mixed || none != c.none {
			t.Errorf("%s: %v %v %v, want %v %v %v", c.arg, one, mixed, none, c.one, c.mixed, c.none)
		}
	}
	for _, bad := range []string{"1,some", "1,nb", "1,0,2", "1,0,a:b", "1,0,1:2,3", "x", "count x"} {
		if _, _, err := multi(bad, 65535, nil); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestNumber(t *testing.T) {
	for _, c := range []struct {
		arg     string
		in, out uint64
	}{
		{"5", 5, 6},
		{"=0x13", 19, 13},
		{"!5", 6, 5},
		{"!=5", 6, 5},
		{">=2kb", 2048, 2047},
		{"<1MiB", 1048575, 1048576},
		{"1-4", 3, 4},
		{"1<>4", 2, 1},
		{"!1-4", 4, 3},
		{"&0xc0", 0x40, 0x3f},
		{"!&0xc0", 0x3f, 0x40},
		{"&0xc0=0x80", 0xbf, 0xc0},
		{"&0xc0!=0", 0x40, 0x3f},
	} {
		r, err := number(c.arg, 1<<32-1, nil)
		if err != nil || !r.Holds(c.in) || r.Holds(c.out) {
			t.Errorf("%s: %v, %d %v, %d %v", c.arg, err, c.in, r.Holds(c.in), c.out, r.Holds(c.out))
		}
	}
	for _, bad := range []string{"", "!", "k", "4-1", "&0xc0=2", "99999999999gb", "-1"} {
		if _, err := number(bad, 1<<32-1, nil); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestVersionByName: a named version is a set of numbers, for 1.3 has drafts.
func TestVersionByName(t *testing.T) {
	for _, c := range []struct {
		option string
		buffer Buffer
		value  uint64
		want   bool
	}{
		{"tls.version:1.3", TLSVersionName, SSLVersionBit(0x7f12), true},
		{"tls.version:1.3", TLSVersionName, SSLVersionBit(0x0303), false},
		{`tls.version:"1.2"`, TLSVersionName, SSLVersionBit(0x0303), true},
		{"tls.version:0x7f12", TLSVersion, 0x7f12, true},
		{"tls.version:0x7f12", TLSVersion, 0x0304, false},
		{"ssl_version:!tls1.2,!tls1.3", SSLVersion, SSLVersionBit(0x0301), true},
	} {
		s := NewSet(DefaultVars(Vars{}), nil)
		if s.Add("x", "alert tls any any -> any any ("+c.option+"; sid:1;)") != 1 {
			t.Errorf("%s: %+v", c.option, s.Problems)
			continue
		}
		sec := s.Rules[0].Sections[0]
		if sec.Buffer != c.buffer || sec.Items[0].Range.Holds(c.value) != c.want {
			t.Errorf("%s: %s, %#x is not %v", c.option, sec.Buffer, c.value, c.want)
		}
	}
}

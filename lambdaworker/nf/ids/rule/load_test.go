package rule

import (
	"os"
	"testing"

	"github.com/granule-nf/granule/corpus"
)

// TestETOpenLoads: of a real rule set 99.5 % load.
func TestETOpenLoads(t *testing.T) {
	text, err := os.ReadFile(corpus.Larger(t, "ids-rules/et-open-2020.rules"))
	if err != nil {
		t.Fatal(err)
	}
	s := NewSet(DefaultVars(Vars{}), DefaultClasses())
	n := s.Add("et-open-2020.rules", string(text))
	all := n + len(s.Problems)
	t.Logf("%d of %d rules load, %.2f %%; these don't:", n, all, 100*float64(n)/float64(all))
	for _, p := range s.Problems {
		t.Logf("%d: sid %d: %s: %s", p.Line, p.SID, p.Keyword, p.Message)
	}
	if n*1000 < all*995 {
		t.Errorf("%d of %d rules load, 99.5 %% are wanted", n, all)
	}
}

// TestOnceRefused: valid rules of kinds that were refused once.
func TestOnceRefused(t *testing.T) {
	for _, options := range []string{
		`http.uri; content:"/a"; pcre:"/x/UR"`,
		`file.data; content:"a"; pcre:"/b/QR"`,
		`http.uri; content:"a"; to_lowercase; content:"b"`,
		`http.request_body; content:"a"; from_base64: offset 1; content:"x"`,
		`http.uri; to_lowercase; content:"a"; strip_whitespace; content:"b"; distance:1`,
		`app-layer-protocol:!tls,final; content:"a"`, `app-layer-protocol:http1,to_server`, `app-layer-protocol:smb`,
		`content:"a"; pcre:"/b/R"; fast_pattern`,
		`content:"a"; xbits:set,A.b,track ip_src, expire 60`, `xbits:isset,a,track ip_pair; content:"a"`, `xbits:noalert; content:"a"`,
		`hostbits:set,a,src; content:"a"`, `hostbits:isnotset,a,both; content:"a"`, `hostbits:toggle,a; content:"a"`,
		`content:"a"; pcre:"/(?P<q>['x])[^'x]+(?P=q)(?!y)/"`,
	} {
		s := NewSet(DefaultVars(Vars{}), nil)
		if s.Add("r", "alert tcp any any -> any any ("+options+"; sid:1;)\nalert http any any => any any (http.uri; content:\"a\"; file.data; content:\"x\"; sid:2;)\n") != 2 {
			t.Errorf("%s: %v", options, s.Problems[0])
		}
	}
	for _, options := range []string{
		`xbits:set,a`, `xbits:set,a,track ip`, `xbits:flip,a,track ip_src`, `hostbits:set`, `hostbits:set,a,left`, `app-layer-protocol:tls,now`,
		`http.uri; content:"/a"; pcre:"/x/H"`, `content:"a"; to_lowercase; content:"b"`,
	} {
		s := NewSet(DefaultVars(Vars{}), nil)
		if s.Add("r", "alert tcp any any -> any any ("+options+"; sid:1;)\n") != 0 {
			t.Errorf("%s is taken", options)
		}
	}
}

package locallambda

import "testing"

func TestSplitFunctionName(t *testing.T) {
	for _, c := range []struct {
		in, name, qualifier string
		ok                  bool
	}{
		{"granule-worker", "granule-worker", "", true},
		{"w:live", "w", "live", true},
		{"123456789012:function:w", "w", "", true},
		{"123456789012:function:w:3", "w", "3", true},
		{"arn:aws:lambda:eu-west-1:123456789012:function:w", "w", "", true},
		{"arn:aws-cn:lambda:cn-north-1:123456789012:function:w:$LATEST", "w", "$LATEST", true},
		{"", "", "", false},
		{"w:", "", "", false},
		{"a b", "", "", false},
		{"arn:aws:lambda:eu-west-1:123456789012:function", "", "", false},
		{"arn:aws:s3:::bucket:w:x", "", "", false},
		{"1:function:w:x:y", "", "", false},
	} {
		name, qualifier, ok := splitFunctionName(c.in)
		if ok != c.ok || ok && (name != c.name || qualifier != c.qualifier) {
			t.Errorf("%q: %q %q %v, expected %q %q %v", c.in, name, qualifier, ok, c.name, c.qualifier, c.ok)
		}
	}
}

// FuzzSplitFunctionName: whatever stands in a path, an accepted name is one that can be configured.
func FuzzSplitFunctionName(f *testing.F) {
	f.Add("arn:aws:lambda:eu-west-1:123456789012:function:w:$LATEST")
	f.Add("123456789012:function:w")
	f.Add(":::::::")
	f.Fuzz(func(t *testing.T, s string) {
		if name, _, ok := splitFunctionName(s); ok && !functionName.MatchString(name) {
			t.Errorf("%q gave %q", s, name)
		}
	})
}

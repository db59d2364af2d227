package http

import "testing"

func TestNormalise(t *testing.T) {
	for _, c := range [][2]string{
		{"/", "/"},
		{"/a/b/../c", "/a/c"},
		{"/../../etc/passwd", "/etc/passwd"},
		{"/a/./b/.", "/a/b/"},
		{"/a/b/..", "/a/"},
		{"/a//b\\c/%2e%2e/d", "/a/b/d"},
		{"/a%2fb%5cc", "/a/b/c"},
		{"/%zz%4", "/%zz%4"},
		{"/x%00y", "/x\x00y"},
		{"/p?q=%41+b//c", "/p?q=A+b//c"},
		{"/p?q#f%41", "/p?q#f%41"},
		{"http://Host.example:80/x/../y?z", "/y?z"},
		{"http://user:pw@host", ""},
		{"/with space/%20", "/with space/ "},
		{"*", "*"},
	} {
		if got := string(normalise([]byte(c[0]), nil)); got != c[1] {
			t.Errorf("%q becomes %q, want %q", c[0], got, c[1])
		}
	}
}

func FuzzNormalise(f *testing.F) {
	f.Add([]byte("http://a@b/../%2e/./x?y#z"))
	f.Fuzz(func(t *testing.T, uri []byte) {
		if out := normalise(uri, nil); len(out) > len(uri) {
			t.Fatalf("%d bytes became %d", len(uri), len(out))
		}
	})
}

package proto

import "testing"

func TestTCP(t *testing.T) {
	for _, c := range []struct {
		name string
		dir  Dir
		data string
		port uint16
		want Protocol
	}{
		{"get", ToServer, "GET / HTTP/1.1\r\n", 8080, HTTP},
		{"tab after the method", ToServer, "POST\t/", 1, HTTP},
		{"longest method", ToServer, "BASELINE-CONTROL /x", 80, HTTP},
		{"method without blank", ToServer, "GETX / HTTP/1.1", 80, Unknown},
		{"response", ToClient, "HTTP/1.0 200 OK", 80, HTTP},
		{"response of no version", ToClient, "HTTP/3.0 200 OK", 80, Unknown},
		{"tls 1.2", ToServer, "\x16\x03\x01\x02\x00\x01", 25, TLS},
		{"tls to client", ToClient, "\x16\x03\x03\x02\x00\x02", 25, TLS},
		{"ssl 2 hello", ToServer, "\x80\x2e\x01\x00\x02\x00", 443, TLS},
		{"dns", ToServer, "\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www", 53, DNS},
		{"dns elsewhere", ToServer, "\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www", 54, Unknown},
		{"dns with too many records", ToServer, "\x00\x1d\x12\x34\x01\x00\x10\x01\x00\x00\x00\x00\x00\x00\x03www", 53, Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d Detector
			if got := d.TCP(c.dir, []byte(c.data), 40000, c.port); got != c.want {
				t.Fatalf("in one piece: %v, want %v", got, c.want)
			}
			d = Detector{}
			for i := range len(c.data) {
				d.TCP(c.dir, []byte(c.data[:i+1]), 40000, c.port)
			}
			if d.Proto != c.want {
				t.Fatalf("byte by byte: %v, want %v", d.Proto, c.want)
			}
			if d.Proto == Unknown {
				if got := d.TCP(c.dir.Opposite(), []byte("\x00nothing known of that kind, whoever reads it"), 1, 1); got != Failed {
					t.Fatalf("both directions say nothing, but %v", got)
				}
			}
		})
	}
}

func FuzzTCP(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1"), uint16(53), true)
	f.Fuzz(func(t *testing.T, b []byte, port uint16, toServer bool) {
		dir := ToClient
		if toServer {
			dir = ToServer
		}
		var whole, parts Detector
		whole.TCP(dir, b, 1, port)
		for i := range b {
			parts.TCP(dir, b[:i+1], 1, port)
		}
		if whole.Proto != parts.Proto {
			t.Fatalf("%v in one piece, %v byte by byte", whole.Proto, parts.Proto)
		}
		UDP(b, port, 1)
	})
}

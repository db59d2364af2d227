package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestHeaderRoundTrip(t *testing.T) {
	h := Header{Type: TypeResult, Flags: FlagState | FlagInjected, Count: 258, Length: 70000, Sequence: 1 << 31, Credit: 12345}
	b := h.Append([]byte("x"))
	if got, fault := ParseHeader(b[1:]); fault != FaultNone || got != h {
		t.Errorf("%+v, %v", got, fault)
	}
	want := []byte{2, 5, 2, 1, 0x70, 0x11, 1, 0, 0, 0, 0, 0x80, 0x39, 0x30, 0, 0}
	if !bytes.Equal(b[1:], want) {
		t.Errorf("bytes %x, want %x", b[1:], want)
	}
}

func TestHeaderFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		h    Header
		want Fault
	}{
		{"ping", Header{Type: TypePing, Length: 8}, FaultNone},
		{"no type", Header{}, FaultType},
		{"unknown type", Header{Type: 99}, FaultType},
		{"unknown type that may be skipped", Header{Type: 99, Flags: FlagSkip, Length: 1000, Count: 7}, FaultNone},
		{"the same, too long", Header{Type: 99, Flags: FlagSkip, Length: MaxBody + 1}, FaultLong},
		{"skip on a known type", Header{Type: TypePing, Flags: FlagSkip, Length: 8}, FaultFlags},
		{"flag of another type", Header{Type: TypeState, Flags: 4}, FaultFlags},
		{"longer than its type", Header{Type: TypePing, Length: 9}, FaultLong},
		{"shorter than its type", Header{Type: TypePing, Length: 7}, FaultShort},
		{"longest batch", Header{Type: TypeBatch, Length: MaxBatch - HeaderSize, Count: 1}, FaultNone},
		{"batch beyond", Header{Type: TypeBatch, Length: MaxBatch - HeaderSize + 1, Count: 1}, FaultLong},
		{"result beyond", Header{Type: TypeResult, Length: MaxBody + 1}, FaultLong},
		{"count where there is none", Header{Type: TypePong, Length: 8, Count: 1}, FaultReserved},
	} {
		if _, got := ParseHeader(c.h.Append(nil)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if _, got := ParseHeader(make([]byte, HeaderSize-1)); got != FaultShort {
		t.Errorf("15 bytes: %v", got)
	}
}

// TestControlFrames checks that every frame comes back as it was sent, and which side may send it.
func TestControlFrames(t *testing.T) {
	for _, c := range []struct {
		frame  []byte
		kind   Type
		worker bool
		check  func(h Header, body []byte) bool
	}{
		{AppendEvents(nil, []byte("{}\n"), 5, 9), TypeEvents, true, func(_ Header, b []byte) bool {
			lines, lost, fault := ParseEvents(b)
			return string(lines) == "{}\n" && lost == 5 && fault == FaultNone
		}},
		{AppendReport(nil, []byte("{}"), 4, 9), TypeReport, true, func(h Header, b []byte) bool { return h.Sequence == 4 && string(b) == "{}" }},
		{AppendTime(nil, TypeDrain, -7, 9), TypeDrain, true, func(_ Header, b []byte) bool { ns, f := ParseTime(b); return ns == -7 && f == FaultNone }},
		{AppendTime(nil, TypePong, 1<<60, 9), TypePong, true, func(_ Header, b []byte) bool { ns, f := ParseTime(b); return ns == 1<<60 && f == FaultNone }},
		{AppendBye(nil, ByeFormat, FaultRuns), TypeBye, true, func(_ Header, b []byte) bool {
			r, theirs, f := ParseBye(b)
			return r == ByeFormat && theirs == FaultRuns && f == FaultNone
		}},
		{AppendReportRequest(nil, 3), TypeReportRequest, false, func(h Header, b []byte) bool { return h.Sequence == 3 && len(b) == 0 }},
		{AppendRetire(nil), TypeRetire, false, func(_ Header, b []byte) bool { return len(b) == 0 }},
		{AppendState(nil, []byte("part"), true), TypeState, false, func(h Header, b []byte) bool { return h.Flags == FlagMore && string(b) == "part" }},
		{AppendState(nil, nil, false), TypeState, false, func(h Header, b []byte) bool { return h.Flags == 0 && len(b) == 0 }},
	} {
		h := mustHeader(t, c.frame)
		if h.Type != c.kind || len(c.frame) != HeaderSize+int(h.Length) || !c.check(h, c.frame[HeaderSize:]) {
			t.Errorf("%v came back as %+v", c.kind, h)
		}
		if c.worker != h.Type.FromWorker() || !c.worker && !h.Type.FromGateway() {
			t.Errorf("%v: direction", c.kind)
		}
	}
	for _, join := range []Type{TypeHello, TypeWelcome, TypeChallenge} {
		if join.FromWorker() || join.FromGateway() {
			t.Errorf("%v may be sent after the join", join)
		}
	}
}

func TestJoinFrames(t *testing.T) {
	hello := Hello{Version: Version, Shard: 2, Worker: 3, Epoch: 4, Credit: 5, Proof: Proof(make([]byte, TokenSize), []byte("x"))}
	b := hello.Append(nil)
	var got Hello
	if fault := got.Parse(mustHeader(t, b), b[HeaderSize:]); fault != FaultNone || got != hello {
		t.Errorf("%+v, %v", got, fault)
	}
	b[HeaderSize]++
	if fault := got.Parse(mustHeader(t, b), b[HeaderSize:]); fault != FaultVersion {
		t.Errorf("another version: %v", fault)
	}
	welcome := Welcome{Version: Version, Time: 99}
	b = welcome.Append(nil)
	mustHeader(t, b)
	var w Welcome
	if fault := w.Parse(b[HeaderSize:]); fault != FaultNone || w != welcome {
		t.Errorf("%+v, %v", w, fault)
	}
	nonce := [NonceSize]byte{1}
	b = AppendChallenge(nil, &nonce)
	if h := mustHeader(t, b); h.Type != TypeChallenge || !bytes.Equal(b[HeaderSize:], nonce[:]) {
		t.Errorf("challenge %x", b)
	}
}

// TestProofIsBound checks that no part of what a proof is made over can be exchanged.
func TestProofIsBound(t *testing.T) {
	token := bytes.Repeat([]byte{7}, TokenSize)
	nonce := [NonceSize]byte{1}
	other := [NonceSize]byte{2}
	seen := map[[ProofSize]byte]string{}
	for name, p := range map[string][ProofSize]byte{
		"it":              Proof(token, PlainBinding(&nonce, JoinContext(1, 2, 3))),
		"another token":   Proof(make([]byte, TokenSize), PlainBinding(&nonce, JoinContext(1, 2, 3))),
		"another nonce":   Proof(token, PlainBinding(&other, JoinContext(1, 2, 3))),
		"another worker":  Proof(token, PlainBinding(&nonce, JoinContext(2, 2, 3))),
		"another epoch":   Proof(token, PlainBinding(&nonce, JoinContext(1, 3, 3))),
		"another shard":   Proof(token, PlainBinding(&nonce, JoinContext(1, 2, 4))),
		"worker as epoch": Proof(token, PlainBinding(&nonce, JoinContext(2, 1, 3))),
	} {
		if was, dup := seen[p]; dup {
			t.Errorf("%s and %s have one proof", was, name)
		}
		seen[p] = name
	}
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	name := func(s fmt.Stringer) {
		if n := s.String(); n == "" || n == "unknown" || seen[reflect.TypeOf(s).Name()+n] {
			t.Errorf("%T %v has no name of its own", s, s)
		} else {
			seen[reflect.TypeOf(s).Name()+n] = true
		}
	}
	for f := range NumFaults {
		name(f)
	}
	for r := range NumByes {
		name(r)
	}
	for typ := Type(1); typ < numTypes; typ++ {
		name(typ)
		if typ > 0 && shapes[typ].max == 0 && typ != TypeRetire && typ != TypeReportRequest {
			t.Errorf("%v has no shape", typ)
		}
	}
}

// FuzzFrames reads a stream as a receiver does. Nothing may panic, and no frame may be longer than the stream.
func FuzzFrames(f *testing.F) {
	f.Add(AppendEvents(nil, []byte("x"), 1, 2))
	f.Add(AppendTime(AppendRetire(nil), TypePing, 5, 0))
	f.Add((&Hello{Version: Version}).Append(nil))
	f.Add((&Welcome{Version: Version}).Append(AppendBye(nil, ByeIdle, 3)))
	f.Fuzz(func(t *testing.T, b []byte) {
		for {
			h, fault := ParseHeader(b)
			if fault != FaultNone || len(b) < HeaderSize+int(h.Length) {
				return
			}
			body := b[HeaderSize : HeaderSize+int(h.Length)]
			b = b[HeaderSize+int(h.Length):]
			switch h.Type {
			case TypeHello:
				var m Hello
				if m.Parse(h, body) == FaultNone && !bytes.Equal(m.Append(nil)[HeaderSize:], body) {
					t.Fatal("a Hello changed")
				}
			case TypeWelcome:
				var m Welcome
				m.Parse(body)
			case TypeEvents:
				_, _, _ = ParseEvents(body)
			case TypePing, TypePong, TypeDrain:
				if ns, fault := ParseTime(body); fault != FaultNone || !bytes.Equal(AppendTime(nil, h.Type, ns, h.Credit)[HeaderSize:], body) {
					t.Fatal("a time changed")
				}
			case TypeBye:
				r, fault, _ := ParseBye(body)
				_, _ = r.String(), fault.String()
			}
		}
	})
}

func invocation() *Invocation {
	return &Invocation{
		Version: Version, Gateways: []string{"10.0.0.1:7946", "[fd00::1]:7946"}, Worker: 1, Epoch: 2, Token: bytes.Repeat([]byte{0xAB}, TokenSize),
		Expires: 3, TLS: true, GatewayKey: bytes.Repeat([]byte{0xCD}, 32), Connections: 4, Heartbeat: Duration(time.Second),
		Idle: Duration(5 * time.Second), Stage: json.RawMessage(`{"nfs":[]}`), Files: []byte{1},
	}
}

func TestInvocationRoundTrip(t *testing.T) {
	text, err := json.Marshal(invocation())
	if err != nil {
		t.Fatal(err)
	}
	var got Invocation
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&got, invocation()) {
		t.Errorf("came back as %s", text)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
	token := got.Token
	got.Zero()
	if got.Token != nil || !bytes.Equal(token, make([]byte, TokenSize)) {
		t.Error("the token is still there")
	}
}

func TestInvocationKeepsItsSecret(t *testing.T) {
	i := invocation()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		if s := fmt.Sprintf(verb, i); s != "worker 1 epoch 2" {
			t.Errorf("%s prints %q", verb, s)
		}
		if s := fmt.Sprintf(verb, *i); s != "worker 1 epoch 2" {
			t.Errorf("%s prints %q of a value", verb, s)
		}
	}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "i", i, "v", *i)
	if strings.Contains(b.String(), "token") {
		t.Errorf("logged as %s", b.String())
	}
}

func TestInvocationValidate(t *testing.T) {
	for want, change := range map[string]func(*Invocation){
		"protocol version 9":      func(i *Invocation) { i.Version = 9 },
		"no gateway address":      func(i *Invocation) { i.Gateways = nil },
		"is not host:port":        func(i *Invocation) { i.Gateways[1] = "fd00::1" },
		"token of 31 bytes":       func(i *Invocation) { i.Token = i.Token[1:] },
		"gateway_key of 0 bytes":  func(i *Invocation) { i.GatewayKey = nil },
		"0 connections":           func(i *Invocation) { i.Connections = 0 },
		"257 connections":         func(i *Invocation) { i.Connections = 257 },
		"a negative duration":     func(i *Invocation) { i.Margin = -1 },
		"heartbeat every 1s but ": func(i *Invocation) { i.Idle = i.Heartbeat },
	} {
		i := invocation()
		change(i)
		if err := i.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

func TestFiles(t *testing.T) {
	files := map[string][]byte{"edge.nft": bytes.Repeat([]byte("table ip filter\n"), 1000), "empty": {}}
	packed, err := PackFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	if len(packed) > 1000 {
		t.Errorf("16 KB of one line pack to %d bytes", len(packed))
	}
	got, err := UnpackFiles(packed)
	if err != nil || !reflect.DeepEqual(got, files) {
		t.Errorf("%v, error %v", got, err)
	}
	if again, _ := PackFiles(files); !bytes.Equal(again, packed) {
		t.Error("equal files pack to different bytes")
	}
	for name, bad := range map[string][]byte{"no gzip": []byte("x"), "cut": packed[:len(packed)/2]} {
		if _, err := UnpackFiles(bad); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

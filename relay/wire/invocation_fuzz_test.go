package wire

import (
	"encoding/json"
	"reflect"
	"testing"
)

func FuzzInvocation(f *testing.F) {
	text, err := json.Marshal(invocation())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"idle":"1h","heartbeat":5}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var i Invocation
		if json.Unmarshal(text, &i) != nil || i.Validate() != nil {
			return
		}
		again, err := json.Marshal(i)
		if err != nil {
			t.Skip("a stage that is no JSON value") // RawMessage is checked when it is written
		}
		var j Invocation
		if err := json.Unmarshal(again, &j); err != nil || j.Validate() != nil || j.Worker != i.Worker || !reflect.DeepEqual(j.Gateways, i.Gateways) || j.Idle != i.Idle {
			t.Fatalf("%v: %s became %s", err, text, again)
		}
	})
}

func FuzzUnpackFiles(f *testing.F) {
	packed, err := PackFiles(map[string][]byte{"edge.nft": []byte("table ip x {}")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Fuzz(func(t *testing.T, packed []byte) {
		files, err := UnpackFiles(packed)
		if err != nil {
			return
		}
		again, err := PackFiles(files)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := UnpackFiles(again); err != nil || len(got) != len(files) {
			t.Fatalf("%d files came back as %d: %v", len(files), len(got), err)
		}
	})
}

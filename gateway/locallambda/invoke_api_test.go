package locallambda

import (
	"testing"
)

func TestInvokeRunsTheRealFunction(t *testing.T) {
	s := startService(t, nil)
	a := call(t, s, `{"Do":"echo","Text":"hello"}`)
	if a.Text != "hello" || a.Count != 1 || a.PID == 0 {
		t.Errorf("answer is %+v", a)
	}
	if a.ARN != "arn:aws:lambda:us-east-1:000000000000:function:f" {
		t.Errorf("ARN is %q", a.ARN)
	}
	if a.Left < 15_000 || a.Left > 20_000 {
		t.Errorf("deadline is in %d ms, expected just under 20000", a.Left)
	}
	if b := call(t, s, `{"Do":"echo"}`); b.PID != a.PID || b.Count != 2 {
		t.Errorf("second call: %+v, expected the same process (%d) with its state", b, a.PID)
	}
}

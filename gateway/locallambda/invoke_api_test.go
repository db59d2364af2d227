package locallambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
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

// TestFunctionErrors: what a function does wrong is 200 with FunctionError and a body that says what.
func TestFunctionErrors(t *testing.T) {
	s := startService(t, nil)
	for _, c := range []struct {
		name, event, kind, message string
		ends                       bool // the environment is gone afterwards
	}{
		{"error", `{"Do":"error","Text":"out of luck"}`, "errorString", "out of luck", false},
		{"panic", `{"Do":"panic","Text":"help"}`, "string", "help", true},
		{"exit 3", `{"Do":"exit","MS":3}`, "Runtime.ExitError", "Runtime exited with error: exit status 3", true},
		{"exit 0", `{"Do":"exit","MS":0}`, "Runtime.ExitError", "Runtime exited without providing a reason", true},
		{"response too large", fmt.Sprintf(`{"Do":"large","Bytes":%d}`, MaxPayload), "Function.ResponseSizeTooLarge", "exceeded", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := call(t, s, `{}`).PID
			out := invoke(t, s.Client(), c.event)
			if aws.ToString(out.FunctionError) != "Unhandled" || out.StatusCode != 200 {
				t.Errorf("status %d, function error %q", out.StatusCode, aws.ToString(out.FunctionError))
			}
			for _, want := range []string{`"errorType":"` + c.kind + `"`, `"errorMessage":`, c.message} {
				if !strings.Contains(string(out.Payload), want) {
					t.Errorf("payload %s lacks %s", out.Payload, want)
				}
			}
			if after := call(t, s, `{}`).PID; (after != before) != c.ends {
				t.Errorf("process before %d, after %d; expected a new one: %v", before, after, c.ends)
			}
		})
	}
}

func TestInvokeRefusals(t *testing.T) {
	s := startService(t, nil)
	client := s.Client()
	ctx := context.Background()
	big := []byte(`"` + strings.Repeat("x", MaxPayload) + `"`)
	for _, c := range []struct {
		name   string
		in     lambda.InvokeInput
		status int
		as     any
	}{
		{"unknown name", lambda.InvokeInput{FunctionName: aws.String("nobody")}, 404, new(*types.ResourceNotFoundException)},
		{"unknown in ARN", lambda.InvokeInput{FunctionName: aws.String("arn:aws:lambda:eu-west-1:1:function:x")}, 404, new(*types.ResourceNotFoundException)},
		{"unknown version", lambda.InvokeInput{FunctionName: aws.String("f"), Qualifier: aws.String("7")}, 404, new(*types.ResourceNotFoundException)},
		{"not JSON", lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte("{")}, 400, new(*types.InvalidRequestContentException)},
		{"two documents", lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte("{}{}")}, 400, new(*types.InvalidRequestContentException)},
		{"too large", lambda.InvokeInput{FunctionName: aws.String("f"), Payload: big}, 413, new(*types.RequestTooLargeException)},
		{"too large for an event", lambda.InvokeInput{FunctionName: aws.String("f"), Payload: big[len(big)-MaxEventPayload-9:], InvocationType: "Event"}, 413, new(*types.RequestTooLargeException)},
		{"type", lambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: "Sometimes"}, 400, new(*types.InvalidParameterValueException)},
		{"log type", lambda.InvokeInput{FunctionName: aws.String("f"), LogType: "Head"}, 400, new(*types.InvalidParameterValueException)},
		{"client context", lambda.InvokeInput{FunctionName: aws.String("f"), ClientContext: aws.String("no base64")}, 400, new(*types.InvalidParameterValueException)},
		{"name", lambda.InvokeInput{FunctionName: aws.String("a:b:c:d")}, 400, new(*types.InvalidParameterValueException)},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := client.Invoke(ctx, &c.in)
			if !errors.As(err, c.as) {
				t.Fatalf("error is %v, expected %T", err, c.as)
			}
			var response interface{ HTTPStatusCode() int }
			if !errors.As(err, &response) || response.HTTPStatusCode() != c.status {
				t.Errorf("%v: expected status %d", err, c.status)
			}
		})
	}
	if n := len(s.List()); n != 0 {
		t.Errorf("%d environments were started for refused calls", n)
	}
}

func TestFunctionNameForms(t *testing.T) {
	s := startService(t, nil)
	for _, name := range []string{
		"f", "f:$LATEST", "000000000000:function:f", "arn:aws:lambda:us-east-1:000000000000:function:f",
		"arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
	} {
		out, err := s.Client().Invoke(context.Background(), &lambda.InvokeInput{FunctionName: &name})
		if err != nil || aws.ToString(out.ExecutedVersion) != "$LATEST" {
			t.Errorf("%s: %v %v", name, err, out)
		}
	}
}

func TestDryRunStartsNothing(t *testing.T) {
	s := startService(t, nil)
	out, err := s.Client().Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: types.InvocationTypeDryRun})
	if err != nil || out.StatusCode != 204 {
		t.Errorf("%v %v, expected 204", out, err)
	}
	if n := len(s.List()); n != 0 {
		t.Errorf("%d environments", n)
	}
}

func TestLogTailHoldsTheLast4KB(t *testing.T) {
	s := startService(t, nil)
	tail := func(event string) string {
		out, err := s.Client().Invoke(context.Background(), &lambda.InvokeInput{
			FunctionName: aws.String("f"), LogType: types.LogTypeTail, Payload: []byte(event),
		})
		if err != nil {
			t.Fatal(err)
		}
		log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
		if err != nil {
			t.Fatal(err)
		}
		return string(log)
	}
	// The line is printed right before the answer: it must be there every time.
	for i := range 20 {
		log := tail(fmt.Sprintf(`{"Do":"print","Text":"line %d"}`, i))
		for _, want := range []string{"START RequestId: ", fmt.Sprintf("line %d\n", i), "END RequestId: ", "REPORT RequestId: ", "Billed Duration: ", "Max Memory Used: "} {
			if !strings.Contains(log, want) {
				t.Errorf("call %d: the log lacks %q:\n%s", i, want, log)
			}
		}
		if strings.Contains(log, "Init Duration") != (i == 0) {
			t.Errorf("call %d: Init Duration belongs to the first alone:\n%s", i, log)
		}
	}
	if log := tail(`{"Do":"print","Bytes":100000,"Text":"the end"}`); len(log) != 4096 || !strings.Contains(log, "the end\n") {
		t.Errorf("%d bytes of a long log, expected its last 4096", len(log))
	}
	if log := tail(`{"Do":"panic","Text":"why not"}`); !strings.Contains(log, "why not") {
		t.Errorf("a panic left %q", log)
	}
	out := invoke(t, s.Client(), `{}`)
	if out.LogResult != nil {
		t.Error("a log came without having been asked for")
	}
}

func TestClientContextReachesTheHandler(t *testing.T) {
	s := startService(t, nil)
	out, err := s.Client().Invoke(context.Background(), &lambda.InvokeInput{
		FunctionName:  aws.String("f"),
		ClientContext: aws.String(base64.StdEncoding.EncodeToString([]byte(`{"custom":{"color":"red"}}`))),
	})
	if err != nil || !strings.Contains(string(out.Payload), `{\"color\":\"red\"}`) {
		t.Errorf("%v %s", err, out.Payload)
	}
}

func TestPayloadOfSixMegabytesPasses(t *testing.T) {
	s := startService(t, nil)
	text := strings.Repeat("x", MaxPayload-len(`{"Text":""}`))
	out, err := s.Client().Invoke(context.Background(), &lambda.InvokeInput{
		FunctionName: aws.String("f"), Payload: []byte(`{"Text":"` + text + `"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	// The echo is larger than its request, so the answer is a refusal: the request itself went through.
	if !bytes.Contains(out.Payload, []byte("Function.ResponseSizeTooLarge")) {
		t.Errorf("%.200s", out.Payload)
	}
	text = text[:MaxPayload-8192]
	if a := call(t, s, `{"Text":"`+text+`"}`); a.Text != text {
		t.Errorf("%d bytes came back of %d", len(a.Text), len(text))
	}
}

func TestConcurrencyLimits(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config, *Function)
		reason types.ThrottleReason
	}{
		{"reserved", func(_ *Config, f *Function) { f.ReservedConcurrency = 1 }, types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded},
		{"account", func(c *Config, _ *Function) { c.AccountConcurrency = 1 }, types.ThrottleReasonConcurrentInvocationLimitExceeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startService(t, c.change)
			first := make(chan error, 1)
			go func() {
				_, err := s.Client().Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{"Do":"wait"}`)})
				first <- err
			}()
			eventually(t, "the first call runs", func() bool { l := s.List(); return len(l) == 1 && l[0].State == StateBusy })
			_, err := s.Client().Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("f")})
			var throttled *types.TooManyRequestsException
			if !errors.As(err, &throttled) || throttled.Reason != c.reason {
				t.Errorf("%v, expected 429 with reason %s", err, c.reason)
			}
			if err := s.Kill(s.List()[0].Invocation); err != nil {
				t.Error(err)
			}
			if err := <-first; err != nil {
				t.Error(err)
			}
			for range 20 { // answered means free: no call after another is ever throttled
				call(t, s, `{}`)
			}
		})
	}
}

func TestEventRunsBehindTheCallersBack(t *testing.T) {
	s := startService(t, nil)
	out, err := s.Client().Invoke(context.Background(), &lambda.InvokeInput{
		FunctionName: aws.String("f"), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{"Do":"sleep","MS":50}`),
	})
	if err != nil || out.StatusCode != 202 || len(out.Payload) != 0 {
		t.Fatalf("%+v %v, expected 202 with no body", out, err)
	}
	eventually(t, "the event has been carried", func() bool { l := s.List(); return len(l) == 1 && l[0].State == StateIdle })
	if a := call(t, s, `{}`); a.Count != 2 {
		t.Errorf("count %d, expected 2", a.Count)
	}
}

func TestCallerMayLeave(t *testing.T) {
	s := startService(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err := s.Client().Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{"Do":"sleep","MS":600}`)})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error is %v", err)
	}
	eventually(t, "the function has run to its end", func() bool { l := s.List(); return len(l) == 1 && l[0].State == StateIdle })
}

func TestCloseAnswersWhatRuns(t *testing.T) {
	s := startService(t, nil)
	done := make(chan error, 1)
	go func() {
		_, err := s.Client().Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{"Do":"wait"}`)})
		done <- err
	}()
	eventually(t, "it runs", func() bool { l := s.List(); return len(l) == 1 && l[0].State == StateBusy })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	var service *types.ServiceException
	if err := <-done; !errors.As(err, &service) {
		t.Errorf("error is %v, expected a ServiceException", err)
	}
	if _, err := s.Client().Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("f")}); !errors.As(err, &service) {
		t.Errorf("after Close: %v", err)
	}
}

func TestListenAndRemoteClient(t *testing.T) {
	s := startService(t, func(c *Config, _ *Function) { c.Listen = "127.0.0.1:0" })
	t.Setenv("AWS_ACCESS_KEY_ID", "x")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "y")
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_ENDPOINT_URL_LAMBDA", "http://"+s.Address())
	if _, err := NewRemoteClient(context.Background(), Remote{}); err == nil || !strings.Contains(err.Error(), "region") {
		t.Errorf("without a region: %v", err)
	}
	client, err := NewRemoteClient(context.Background(), Remote{Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	if out := invoke(t, client, `{"Text":"over a port"}`); !strings.Contains(string(out.Payload), "over a port") {
		t.Errorf("%s", out.Payload)
	}
	t.Setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:1")
	client, err = NewRemoteClient(context.Background(), Remote{Region: "eu-west-1", Endpoint: "http://" + s.Address()})
	if err != nil {
		t.Fatal(err)
	}
	invoke(t, client, `{}`)

	response, err := http.Get("http://" + s.Address() + "/2015-03-31/functions/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil || response.StatusCode != 404 || !strings.Contains(string(body), "/invocations alone") || response.Header.Get("X-Amzn-RequestId") == "" {
		t.Errorf("%v %d %s", err, response.StatusCode, body)
	}
}

package main

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	_ "github.com/granule-nf/granule/lambdaworker/nf/all"
)

// termGrace is how long a worker goes on answering after SIGTERM. The platform kills it after 300 ms, or after 500.
const termGrace = 250 * time.Millisecond

func main() {
	if n := lambdacontext.MaxConcurrency(); n > 1 {
		fmt.Fprintf(os.Stderr, "bootstrap: AWS_LAMBDA_MAX_CONCURRENCY is %d, but a worker is one invocation at a time: two would "+
			"share a processor that the gateway counts on. Set the environment's concurrency to 1.\n", n)
		os.Exit(1)
	}
	w := newWorker(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	lambda.StartWithOptions(w, lambda.WithEnableSIGTERM(func() {
		w.terminate(termGrace)
		os.Exit(0) // otherwise the process would wait for its SIGKILL, and count as failed
	}))
}

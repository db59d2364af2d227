// Package locallambda is Lambda inside the gateway's process: the Invoke API in front, the Runtime API behind, and the
// very bootstrap file that is uploaded to AWS running between them as child processes. The coordinator has one way to
// start a worker (DESIGN, idea 4), aws-sdk-go-v2's client; only where that client leads differs:
//
//	s, err := locallambda.New(locallambda.Config{Functions: []locallambda.Function{{Name: "worker", Artifact: "/opt/granule/bootstrap"}}})
//	client := s.Client()                                                           // this service, no port opened
//	client, err := locallambda.NewRemoteClient(ctx, locallambda.Remote{})          // AWS, or AWS_ENDPOINT_URL_LAMBDA
//
// # Words
//
//   - A function is a name, an artifact and limits. An invocation is one call of it.
//   - An environment is one process of a function. It takes one invocation at a time, is kept warm (and frozen, if asked)
//     for the next, and ends when idle for too long, when its invocation outlives the timeout, or when it breaks.
//
// # The way of an invocation
//
// invoke_api.go reads it, carry.go admits it against the concurrency limits and finds it a warm environment or starts
// one (process.go, spawner.go), environment.go hands it over and watches its deadline, runtime_api.go is where the
// process fetches it and posts its answer. It is over when the process asks for the next one or ends: then its
// concurrency is free, then the caller is answered. So whoever calls again on an answer is not throttled by his last call,
// and a worker's return is its end of life.
//
// # What holds, and how
//
//	lifetime          always: SIGTERM at the deadline, SIGKILL 300 ms later (500 ms with an extension); Deadline-Ms is
//	                  that very moment; a response after it is refused
//	start             always: 10 s to the first "next"
//	concurrency       always: reserved per function, and per account; 429 with the reason
//	payload           always: 6 MiB both ways, 1 MiB for events
//	cold start        a delay before the process starts, by configuration or fault
//	memory            root and a writable control group hierarchy: by the kernel (v2 memory.max, no swap; v1
//	                  limit_in_bytes, where the few pages that the process touched before it was moved in are not
//	                  counted). Otherwise: resident size is read every 100 ms and the process is killed above the
//	                  limit; GOMEMLIMIT is set to nine tenths of it, so that Go collects before that
//	processor         the same hierarchy: cpu.max or cfs_quota_us, memory/1769 vCPU as on the platform. Otherwise:
//	                  not enforced
//	freeze            SIGSTOP between invocations if asked, to the whole process group
//	no orphans        own process group, killed whole while its leader is still a zombie; Pdeathsig from a thread that
//	                  lives as long as the service; groups of a killed service are swept by the next one
//	network rate      not enforced: the traffic is the workers' own, over loopback; only their connections' other end
//	                  or a namespace of their own could limit it
//	file system       not enforced: the function sees the machine's, and /tmp is not its own
//	user              Function.UID and GID, if the gateway is root; otherwise the gateway's
//
// Service.Enforcement says which of these the machine at hand keeps, and why not the others.
//
// # What differs from the platform
//
// Versions and aliases: $LATEST is all there is. Event invocations are not retried after a function's error (deployments
// set MaximumRetryAttempts to 0), only while throttled. Extensions get no events: registering for none, which is what
// aws-lambda-go does to be sent SIGTERM, works. A start that takes longer than 10 s fails, it isn't tried again under the
// function's timeout. Without an extension the platform sends no SIGTERM; here it comes in both cases.
//
// # Faults
//
// SetFault makes the platform misbehave, by count or by a seeded draw; Kill and Freeze strike a given environment now.
package locallambda

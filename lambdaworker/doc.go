// Command bootstrap is a worker: the artifact that runs as an AWS Lambda function, and as a child process of the gateway's
// embedded Lambda service, which speaks the same API.
//
// An invocation says where the gateway is, how to prove who is calling, and which stage of which chain to run. The worker
// dials one connection for each shard of the gateway, and for each of them one goroutine runs to completion: read, decode
// in place, run the stage, answer. It allocates nothing while doing so. It leaves when it is told to, when its own time
// is nearly over, or when nobody is left to work for.
//
// The way of a packet through it, file by file: socket.go waits for bytes, read.go finds the frames in them, work.go shows a batch to
// the stage, answer.go says what became of it, write.go seals the answer and sends it. Around that: main.go and worker.go are an
// invocation's life (plan.go says how long it is, summary.go what it answers), join.go makes its connections, import.go takes state
// over, report.go answers with counters.
package main

// Package replay runs the chains of a configuration over a capture file in this process, with the code that workers run: what would they do?
//
// run.go opens the files and moves the packets; replay.go judges them batch by batch; events.go and counters.go are what it has to say.
package replay

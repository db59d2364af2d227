// Package nftest tests network functions: packets in a line, captures, and the checks that every function has to pass.
//
//	stage := nftest.Stage{NFs: []string{"ratelimit: {rate: 10, burst: 2}"}}
//	capture := nftest.Packets(
//		nftest.UDP("10.0.0.1:1000", "192.0.2.1:53", "query").At(0),
//		nftest.UDP("192.0.2.1:53", "10.0.0.1:1000", "answer").At(1*time.Millisecond).Outside(),
//	)
//	got := nftest.Run(stage.Build(t), capture, 64)
//	nftest.HandOff(t, stage, capture)
//	nftest.ZeroAlloc(t, stage, capture)
//	nftest.Malformed(t, stage)
//
// HandOff proves chain output equivalence: the capture is cut at every k-th packet, the state moved to a fresh instance,
// and packets, events and counters must be those of one run. ZeroAlloc shows that nothing is allocated once warm. Malformed
// shows that no capture that ever misled a packet parser harms the function. Golden keeps a run's outcome in a file.
package nftest

// Package placer decides which worker of a stage has which sub-flow, and how many workers the stage wants.
//
// Place is a pure function (place.go): loads, workers with their capacity and deadline, and the present placement in; a
// placement out. It promises, in this order:
//
//  1. no sub-flow is without a worker while there is one;
//  2. every worker is below its target utilisation where that is possible; where it is not, the load is shared as it can be, and a
//     sub-flow that is too much for any worker (an elephant) has one for itself, so that the others do not suffer;
//  3. as few sub-flows move as that takes;
//  4. of workers that would do, the one that lives longest is taken.
//
// Scaler (scale.go) and Starts (starts.go) are state machines without clocks or goroutines of their own: they are told the time.
// None of them knows of packets, connections or Lambda; the tests simulate fleets with them.
package placer

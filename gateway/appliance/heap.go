package appliance

import "runtime/debug"

// limitHeap has the collector keep the heap below bytes, but for a limit that the environment sets (see debug.SetMemoryLimit). In the steady state nothing is
// allocated: what is collected is what scrapes and reloads leave.
func limitHeap(bytes int64, env func(string) string) {
	if env("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes)
	}
	if env("GOGC") == "" {
		debug.SetGCPercent(50) // of tables that are as large as they will ever be: half as much again, and not twice
	}
	debug.FreeOSMemory() // what the start took
}

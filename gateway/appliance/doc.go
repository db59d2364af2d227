// Package appliance is a running gateway put together from checked settings: ports, shards, the fleet of workers, the coordinator, the console; started,
// reloaded and stopped.
//
// New opens everything (appliance.go, ports.go, shards.go, fleet.go, replicas.go), Run moves packets (run.go), Reload takes a new configuration in
// (reload.go; configuration.go remembers, fits.go refuses what can't change at runtime), Close undoes New (stop.go).
package appliance

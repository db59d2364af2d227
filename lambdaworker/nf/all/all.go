// Package all makes every network function known to package nf, and what records events for all of them. Import it for effect.
package all

import (
	_ "github.com/granule-nf/granule/lambdaworker/nf/counter"     // counter
	_ "github.com/granule-nf/granule/lambdaworker/nf/firewall"    // firewall
	_ "github.com/granule-nf/granule/lambdaworker/nf/flowlog"     // flow, stats and drop events
	_ "github.com/granule-nf/granule/lambdaworker/nf/ids"         // ids
	_ "github.com/granule-nf/granule/lambdaworker/nf/loadbalance" // loadbalance
	_ "github.com/granule-nf/granule/lambdaworker/nf/nat"         // nat
	_ "github.com/granule-nf/granule/lambdaworker/nf/ratelimit"   // ratelimit
)

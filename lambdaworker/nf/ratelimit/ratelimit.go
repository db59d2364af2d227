// Package ratelimit holds each flow, each address or prefix, or all traffic to a rate: a token bucket each. README.md has the options.
package ratelimit

import "github.com/granule-nf/granule/lambdaworker/nf"

func init() {
	nf.Register(nf.Type{Name: "ratelimit", Doc: "holds each flow, source or destination, or all of them, to a rate", New: New})
}

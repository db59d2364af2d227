// Package gatewaytest is what tests of the gateway share: the programs built once, captures to send through it, and how to compare what came out.
package gatewaytest

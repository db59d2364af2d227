// Package livetest is nothing but tests: of `granule run` as a process, between AF_XDP ports, under real traffic.
package livetest

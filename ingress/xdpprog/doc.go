// Package xdpprog loads, attaches, pins and feeds the gateway's XDP program (bpf/relay.c).
//
// Each port of the wire has the program attached. It gives a queue's frames to the queue's AF_XDP socket as long as the
// gateway beats for that queue, and otherwise relays them to the other port or drops them, by policy. Links and maps are
// pinned, so that it goes on doing so after a kill -9, and the next gateway of the same name takes over in place, without
// detaching (which resets many a NIC).
//
// Pins lie in <bpffs>/granule/<instance>/. They are found in the mount namespace of the one who looks: `ip netns exec`
// mounts a fresh sysfs and so hides them; enter the network namespace alone (`nsenter --net=...`).
package xdpprog

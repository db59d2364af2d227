// SPDX-License-Identifier: Apache-2.0
//
// One port of the wire. While the shard that serves a queue is alive, the queue's frames go to its AF_XDP socket;
// otherwise the frame is relayed to the other port (policy open) or dropped (policy closed). A queue without a socket is a
// hole in a gateway that lives: its frames are dropped, whatever the policy. Every frame is counted under exactly one outcome. Frames are never read: whatever is on the wire, runts and jumbos alike, takes this way.

#include "kernel.h"

// More RX queues than this are refused before the program is attached.
#define MAX_QUEUES 64

enum outcome {
	TO_SOCKET,         // the shard is alive: to its socket
	RELAYED_STALE,     // heartbeat too old: to the other port
	RELAYED_NO_SOCKET, // nobody serves this queue, nor any other: to the other port
	DROPPED_STALE,     // as above, with policy closed
	DROPPED_NO_SOCKET, // nobody serves this queue, and policy is closed or the gateway lives: it would pass unjudged
	OUTCOMES,
};

struct tally {
	__u64 packets;
	__u64 bytes;
};

// A cache line each, because every shard stores into its own many times a second.
struct beat {
	__u64 at; // CLOCK_MONOTONIC in ns; 0: never
	__u64 pad[7];
};

// Set before loading.
volatile const __u32 fail_open = 0;
volatile const __s64 max_age_ns = 1000000000;

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, MAX_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} other_port SEC(".maps");

// Mapped into the gateway, so that beating is a store and not a system call.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_QUEUES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct beat);
} beats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OUTCOMES);
	__type(key, enum outcome);
	__type(value, struct tally);
} outcomes SEC(".maps");

static __attribute__((always_inline)) void count(struct xdp_md *ctx, enum outcome outcome)
{
	struct tally *t = bpf_map_lookup_elem(&outcomes, &outcome);

	if (t) {
		t->packets++;
		// The linear part; a jumbo's further buffers would cost a helper call a frame.
		t->bytes += ctx->data_end - ctx->data;
	}
}

// The coarse clock lags the clock that the gateway stamped with by up to a tick, so a fresh beat may lie in the
// future: its age is negative and must be compared as a signed number, or it would look centuries old.
static __attribute__((always_inline)) int alive(__u32 queue)
{
	struct beat *b = bpf_map_lookup_elem(&beats, &queue);
	__u64 at;

	if (!b)
		return 0;
	at = *(volatile __u64 *)&b->at;
	return at != 0 && (__s64)(bpf_ktime_get_coarse_ns() - at) <= max_age_ns;
}

SEC("xdp")
int relay(struct xdp_md *ctx)
{
	__u32 queue = ctx->rx_queue_index;
	__u32 first = 0;
	int has_socket = bpf_map_lookup_elem(&sockets, &queue) != 0;

	if (has_socket && alive(queue)) {
		count(ctx, TO_SOCKET);
		return bpf_redirect_map(&sockets, queue, XDP_DROP);
	}
	// Queue 0 has a shard whenever any has: its beat is the gateway's, and so is its socket, which leaves the map at the
	// moment at which the process dies, a second before the beat is too old.
	if (fail_open && (has_socket || !alive(0) || !bpf_map_lookup_elem(&sockets, &first))) {
		count(ctx, has_socket ? RELAYED_STALE : RELAYED_NO_SOCKET);
		return bpf_redirect_map(&other_port, 0, XDP_DROP);
	}
	count(ctx, has_socket ? DROPPED_STALE : DROPPED_NO_SOCKET);
	return XDP_DROP;
}

// The redirect helpers ask for no GPL.
char licence_text[] SEC("license") = "Dual BSD/GPL";

// SPDX-License-Identifier: Apache-2.0
//
// What relay.c needs of the kernel beyond its own UAPI headers: three helpers by number, and the notation in which the
// loader reads map definitions from BTF. Written out so that regenerating needs clang and the kernel's headers alone.

#pragma once

#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int(*name)[value]
#define __type(name, type) typeof(type) *name

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*bpf_redirect_map)(void *map, __u64 key, __u64 flags) = (void *)BPF_FUNC_redirect_map;
static __u64 (*bpf_ktime_get_coarse_ns)(void) = (void *)BPF_FUNC_ktime_get_coarse_ns;

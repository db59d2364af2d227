#!/bin/sh
# Is the committed XDP program what bpf/relay.c compiles to? Exit 0: yes, or it can't be told here (said loudly); 1: no, or it
# can't be told where CI is set: there nobody reads what was skipped.
# Another compiler makes another, equally good object, so the comparison is with the version that the committed one is from.
set -eu
cd "$(dirname "$0")"
major=14 # Debian 12's

skip() {
	echo "ingress/xdpprog: SKIPPED, the committed XDP program was NOT compared with its source: $1" >&2
	[ -z "${CI:-}" ] || exit 1
	exit 0
}

if ! command -v clang-$major >/dev/null 2>&1; then
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || skip "no clang-$major, and only root could install it (apt-get install clang-$major llvm-$major linux-libc-dev)"
	echo "ingress/xdpprog: to compare the XDP program with its source, installing: apt-get install clang-$major llvm-$major linux-libc-dev" >&2
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		clang-$major llvm-$major linux-libc-dev; } >/dev/null 2>&1 || skip "clang-$major could not be installed"
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
CLANG=clang-$major sh bpf/generate.sh "$out" >/dev/null
for file in relay_bpfel.go relay_bpfel.o; do
	cmp -s "$file" "$out/$file" || {
		echo "ingress/xdpprog/$file is not what bpf/relay.c compiles to; run: go generate ./ingress/xdpprog" >&2
		exit 1
	}
done
echo "ingress/xdpprog: the committed XDP program is up to date"

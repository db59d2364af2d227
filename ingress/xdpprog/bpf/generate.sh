#!/bin/sh
# Compiles relay.c into the Go package of the folder above: generate.sh OUTPUT-FOLDER, run in ingress/xdpprog.
# Little-endian alone: amd64 is the one architecture that the ports run on, and arm64 would share it.
set -eu
multiarch=$(uname -m)-linux-gnu
exec go run github.com/cilium/ebpf/cmd/bpf2go -cc "${CLANG:-clang}" -go-package xdpprog -target bpfel -tags linux -output-dir "$1" \
	-type outcome -type tally -type beat relay bpf/relay.c -- -O2 -g -Wall -Werror -I "/usr/include/$multiarch"

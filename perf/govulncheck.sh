#!/bin/sh
# Looks up what both programs call in Go's vulnerability database (https://vuln.go.dev). It needs the Internet, so `make check` does not call it.
set -eu
cd "$(dirname "$0")/.."
exec "${GO:-go}" run golang.org/x/vuln/cmd/govulncheck@v1.1.4 ./gateway/... ./lambdaworker/... "$@"

#!/usr/bin/env bash
# Builds dist/granule_VERSION_amd64.deb from a checkout: binaries, worker archives, unit, man pages, completions. Two builds of
# one commit give one hash: no build paths, no time but the commit's.
set -euo pipefail
cd "$(dirname "$0")/../.."
NFPM=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.4 # 2.44 and later need a module that is not to be had everywhere

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1767225600)}
export SOURCE_DATE_EPOCH
# 0.1.0 alone for a tagged commit v0.1.0; otherwise sorted by the commit's time, before the release to come.
tag=$(git describe --tags --exact-match --match 'v*' 2>/dev/null || true)
VERSION=${tag#v}
VERSION=${VERSION:-0.1.0~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S).$(git rev-parse --short=9 HEAD 2>/dev/null || echo unknown)}
export VERSION
umask 022

make build artifact
out=dist/package
rm -rf "$out" && mkdir -p "$out/man" "$out/completion"
cp bin/granule bin/bootstrap "$out/"
go run -tags man -ldflags "-X main.version=$VERSION" ./gateway man "$out/man"
gzip -9nf "$out"/man/*.1
bin/granule completion bash > "$out/completion/granule.bash"
bin/granule completion zsh > "$out/completion/_granule"
bin/granule completion fish > "$out/completion/granule.fish"
[ -x bin/tools/nfpm ] || GOFLAGS=-mod=mod GOBIN=$PWD/bin/tools go install "$NFPM"
bin/tools/nfpm package --packager deb --config deploy/package/nfpm.yaml --target "dist/granule_${VERSION}_amd64.deb"
(cd dist && sha256sum "granule_${VERSION}_amd64.deb" bootstrap-*.zip > SHA256SUMS)
cat dist/SHA256SUMS

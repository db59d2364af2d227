# make build   both binaries: bin/granule (PIE), bin/bootstrap (static), this machine
# make artifact  what Lambda takes: dist/bootstrap-{amd64,arm64}.zip, for provided.al2023
# make deb     the Debian package, reproducible: dist/granule_VERSION_amd64.deb
# make demo    the whole thing on this machine, in namespaces of its own
# make test    every test; what needs root and has none is skipped by name
# make check   formatting, go.mod, vet, lint, generated files, every benchmark once, every fuzz target for a moment
# make test-deploy  package, templates and pktgen's driver, with Debian's and npm's tools; needs root and minutes
# make bench   the figures of perf/README.md, as ratios
# make fuzz    every fuzz target for FUZZTIME
SHELL    := /bin/bash
GO       ?= go
FUZZTIME ?= 30s
LDFLAGS  := -s -w -X main.version=$(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BUILD    := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'
LINT     := bin/tools/golangci-lint

.PHONY: build artifact deb demo test test-deploy check bench suricata-diff fuzz clean
build:
	$(BUILD) -buildmode=pie -o bin/granule ./gateway
	$(BUILD) -tags lambda.norpc -o bin/bootstrap ./lambdaworker

artifact:
	for arch in amd64 arm64; do \
	  GOOS=linux GOARCH=$$arch $(BUILD) -tags lambda.norpc -o dist/$$arch/bootstrap ./lambdaworker && \
	  $(GO) run ./perf/lambdazip dist/$$arch/bootstrap dist/bootstrap-$$arch.zip || exit 1; done

deb:
	deploy/package/build.sh

demo: build
	bin/granule demo --bootstrap bin/bootstrap

test: build artifact
	$(GO) run ./perf/testrun

test-deploy:
	$(GO) test -count=1 -timeout 40m -tags deploy -v ./deploy/...

check: $(LINT)
	@fmt=$$(gofmt -l .); test -z "$$fmt" || { echo "not gofmt'ed: $$fmt"; exit 1; }
	@for mod in . perf/peers; do (cd $$mod && $(GO) mod tidy -diff) || { echo "$$mod/go.mod is not tidy: run go mod tidy there"; exit 1; }; done
	$(GO) vet ./...
	$(LINT) run ./...
	./ingress/xdpprog/stale.sh
	$(GO) test -run '^$$' -bench . -benchtime 1x ./...
	$(GO) run ./perf/fuzzall -time 2s

$(LINT):
	GOBIN=$(CURDIR)/bin/tools $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

bench: build
	$(GO) run ./perf/bench --granule bin/granule --bootstrap bin/bootstrap

# The alerts of ids beside Suricata's, where GRANULE_SURICATA names one: its binary, or chroot:DIR.
suricata-diff: build
	$(GO) run ./perf/suricatadiff -granule bin/granule

fuzz:
	$(GO) run ./perf/fuzzall -time $(FUZZTIME)

clean:
	rm -rf bin dist

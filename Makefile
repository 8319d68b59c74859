# Seatrial. `make` alone shows what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN       := bin
VERSION   := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS   := -s -w -X main.version=$(VERSION)
CONSOLE   := web/console
DEMO      := $(or $(SEATRIAL_DEMO_DIR),/var/lib/seatrial-demo)
LABTESTS  := ./builder ./cmd/seatrial/build ./signing ./deployer ./slo ./chaos/mesh ./chaos/connections ./deployer/autoscale ./chaos/execs
UNIT       = $(shell go list ./... 2>/dev/null | grep -v /e2e$$)

.PHONY: help
help: ## Show this help
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}'

##@ The two commands of the README
.PHONY: demo demo-down test
demo: build lab ## Install, build and start everything, and watch three releases
	$(BIN)/lab up
	$(BIN)/demo --dir $(DEMO)

demo-down: ## Remove every process, mount, network namespace and folder of the demo
	@if [ -x $(BIN)/demo ]; then $(BIN)/demo --dir $(DEMO) --down; fi
	@if [ -x $(BIN)/lab ]; then $(BIN)/lab down; fi

test: deps check unit console-test e2e ## Every check and test, the lab scenarios included

##@ Parts
.PHONY: deps build console lab check unit console-test e2e pictures
deps: ## Install missing Debian packages by name
	go run ./cmd/lab deps

build: console ## Build the binaries into bin/
	go build -ldflags "$(LDFLAGS)" -o $(BIN)/ ./cmd/... ./e2e/demo

console: $(CONSOLE)/dist/index.html ## Build the web console

$(CONSOLE)/dist/index.html: $(CONSOLE)/package-lock.json $(shell find $(CONSOLE)/src $(CONSOLE)/index.html -type f 2>/dev/null)
	cd $(CONSOLE) && npm ci --no-audit --no-fund && npm run build

lab: deps ## Build the lab's components into the cache
	go build -o $(BIN)/lab ./cmd/lab
	$(BIN)/lab build

check: ## Vet, staticcheck, formatting, tidy module files
	test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go mod tidy -diff
	go vet ./...
	go tool staticcheck ./...

unit: deps ## Unit tests
	go test -timeout 30m $(UNIT)

console-test: console ## The console's own checks and tests
	cd $(CONSOLE) && npm run check && npm test

e2e: build lab ## Every part and then the whole road on real clusters
	$(BIN)/lab up
	go test -tags lab -count=1 -timeout 40m ./lab
	go test -tags lab -count=1 -timeout 60m -p 1 $(LABTESTS)
	go test -tags lab -count=1 -timeout 120m -parallel 3 -v ./e2e
	$(BIN)/lab down

pictures: build ## Take the console's pictures for docs/img on a running lab
	SEATRIAL_PICTURES=$(CURDIR)/docs/img go test -tags lab -count=1 -timeout 30m -v -run TestAGoodCommit ./e2e

##@ Figures
.PHONY: bench bench-webhook bench-road bench-memory bench-build bench-agent bench-deploy bench-trial bench-tool
bench: bench-webhook bench-road bench-memory bench-build bench-agent bench-deploy bench-trial ## Measure everything that the README promises

bench-tool:
	go build -o $(BIN)/bench ./e2e/bench

bench-webhook: bench-tool ## Webhook deliveries kept on disk, and how fast
	$(BIN)/bench webhook

bench-road: build lab bench-tool ## The platform's own time, and how soon a refused release is gone
	$(BIN)/lab up
	$(BIN)/bench road

bench-memory: build lab bench-tool ## The server's memory after a hundred releases
	$(BIN)/lab up
	$(BIN)/bench memory

bench-build: build lab bench-tool ## What it takes to prove a commit unchanged, and what a build costs beside the solve
	$(BIN)/lab up
	$(BIN)/bench build

bench-agent: build lab bench-tool ## How soon the server sees a change on a cluster with an agent
	$(BIN)/lab up
	$(BIN)/bench agent

bench-trial: build lab bench-tool ## What a thousand SLOs cost beside sloth and in Prometheus, and how precisely experiments begin and end
	$(BIN)/lab up staging
	$(BIN)/bench trial -cluster staging

bench-deploy: lab bench-tool ## How fast thousands of services get from git to clusters, and what that costs; takes about half an hour
	$(BIN)/bench deploy --docs docs

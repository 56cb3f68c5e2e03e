# The commands of everyday work; `make` lists them. What they run can be run by hand: see CONTRIBUTING.md.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help build dev test demo check fuzz tsan clean

JOBS ?= $(shell nproc)
# Seconds that `make fuzz` runs each target; 0 builds only.
SECONDS_EACH ?= 20

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "make %-7s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

build: ## the programs, optimised, in build/bin
	scripts/setup.sh
	cmake --preset release
	cmake --build --preset release -j $(JOBS)

dev: ## the tests and programs with address and undefined-behaviour sanitizers, in build/dev
	scripts/setup.sh --checks
	cmake --preset dev
	cmake --build --preset dev -j $(JOBS)

test: dev ## all tests and checks
	scripts/run_tests.sh build/dev $(JOBS)

demo: build ## a cluster on this machine that reads number plates
	examples/plates/demo.sh

check: ## format, layers, lint and the like; `scripts/check.sh -f` formats
	@if [ ! -f build/dev/build.ninja ]; then $(MAKE) dev; else cmake --build --preset dev -j $(JOBS); fi
	scripts/check.sh

fuzz: ## the fuzz targets, each for SECONDS_EACH seconds (clang)
	scripts/setup.sh --checks
	cmake --preset fuzz
	cmake --build --preset fuzz -j $(JOBS) --target fuzz_targets
	scripts/run_fuzz.sh build/fuzz $(SECONDS_EACH)

tsan: ## all tests under the thread sanitizer
	scripts/setup.sh --checks
	cmake --preset tsan
	cmake --build --preset tsan -j $(JOBS)
	ctest --test-dir build/tsan -j $(JOBS) --output-on-failure

clean: ## removes build/
	rm -rf build

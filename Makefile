# The front door. `make` alone lists what there is; docs/dependencies.md says what gets installed.
#   JOBS=N   how many compilers and tests run at once (default: one per core)

JOBS ?= $(shell nproc)
RELEASE := build/release
RUN := build/run
BENCH := build/bench-store
PREFIX ?= /usr/local

.DEFAULT_GOAL := help
.NOTPARALLEL:  # what a target needs is installed, configured and built in this order; the tools below run in parallel
.PHONY: help build run test test-fast bench sim asan tsan fuzz lint fmt docs install package clean deps-build deps-test deps-sanitize \
        deps-lint deps-docs

help:
	@echo "make TARGET, where TARGET is one of:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: deps-build $(RELEASE)/build.ninja ## The optimised programs, in build/release (installs what is missing)
	@cmake --build --preset release -j $(JOBS) --target programs

run: build ## Builds, then reviews this repository with a team of agents and shows the report
	@tools/run_flagship.sh $(RELEASE)/mapflow $(RUN)

test: deps-build deps-test $(RELEASE)/build.ninja ## Builds, then runs every test
	@cmake --build --preset release -j $(JOBS)
	@ctest --preset release -j $(JOBS)

test-fast: deps-build deps-test build/dev/build.ninja ## Debug build, then the tests that take seconds
	@cmake --build --preset dev -j $(JOBS)
	@ctest --preset dev -j $(JOBS) -LE slow

bench: build ## Steps per second, in memory and on SQLite, beside what bare SQLite can do
	@$(RELEASE)/mapflow bench sequential --store memory:
	@rm -rf $(BENCH) && mkdir -p $(BENCH)
	@$(RELEASE)/mapflow bench store-limit --store sqlite:$(BENCH)/limit.db

sim: build ## 1000 seeds of a three-node cluster under all faults (SEED=, COUNT= choose others)
	@$(RELEASE)/sim --seed $(or $(SEED),1) --count $(or $(COUNT),1000) --nodes 3 --faults all

asan: deps-build deps-test deps-sanitize build/asan/build.ninja ## Every test under the address and undefined behaviour sanitizers
	@cmake --build --preset asan -j $(JOBS)
	@ctest --preset asan -j $(JOBS)

tsan: deps-build deps-test deps-sanitize build/tsan/build.ninja ## Every test under the thread sanitizer
	@cmake --build --preset tsan -j $(JOBS)
	@ctest --preset tsan -j $(JOBS)

fuzz: deps-build deps-sanitize build/fuzz/build.ninja ## Random templates under the sanitizers, for SECONDS= (default: 60) with each target
	@cmake --build --preset fuzz -j $(JOBS) --target fuzzers
	@tools/run_fuzzers.sh build/fuzz $(or $(SECONDS),60)

lint: deps-build deps-lint deps-sanitize build/tsan/build.ninja ## Format and clang-tidy on what changed since BASE (default: HEAD); ALL=1: on everything
	@tools/lint.sh build/tsan $(if $(ALL),--all,$(or $(BASE),HEAD))

fmt: deps-lint ## Formats the C++ lines that changed since BASE (default: HEAD)
	@tools/format_changes.sh $(or $(BASE),HEAD)

docs: deps-docs ## The documentation as a site, in build/docs/site; a warning or a broken link is an error
	@tools/build_docs.sh build/docs

install: deps-build $(RELEASE)/build.ninja ## The program, the library and its headers to PREFIX (default: /usr/local)
	@cmake --build --preset release -j $(JOBS) --target installable
	@DESTDIR=$(DESTDIR) cmake --install $(RELEASE) --prefix $(PREFIX) --strip

package: deps-build deps-test $(RELEASE)/build.ninja ## The same as a Debian package, in build/release
	@cmake --build --preset release -j $(JOBS) --target installable
	@cd $(RELEASE) && cpack -G DEB

clean: ## Removes everything that was built
	rm -rf build

build/%/build.ninja: CMakePresets.json
	@cmake --preset $* >/dev/null
	@touch $@

deps-build deps-test deps-sanitize deps-lint deps-docs: deps-%:
	@tools/install_dependencies.sh $*

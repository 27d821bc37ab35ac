# SPDX-License-Identifier: MIT
# The door to the house; Meson does the work. B is the build directory.

B ?= build
PREFIX ?= /usr/local
DESTDIR ?=
MUTANTS ?= all
SECONDS ?= 600

# Packages come before the build; Ninja keeps the cores busy.
.NOTPARALLEL:

all: deps
	@.ci/configure $(B) --prefix=$(PREFIX)
	@ninja -C $(B)

# The main job: a cache that gives its memory back, block by block, while it serves.
run: all
	@$(B)/examples/filecache/filecache

# Redis, unmodified, on memory that is taken away and given back while clients load and check it.
demo: deps-demo all
	@tools/demo/demo $(B)

check: deps-check all
	@tests/run $(B)

# What is the same here and in Linux 6.1, scenario by scenario.
conformance: deps-check all
	@MEMPLUG_BUILD=$(abspath $(B)) tests/conformance/test --table

# Records the scenarios again on a Linux 6.1 in an emulator, which it downloads (215 MB): some minutes.
oracle:
	@tests/oracle/setup --install
	@cd tests/oracle && ./run-oracle -j 2 ../conformance/scenarios/*.sh

bench: all
	@bench/machine
	@found=; for program in $(B)/bench/*; do \
		if [ -f "$$program" ] && [ -x "$$program" ]; then found=1; "$$program" || exit 1; fi; \
	done; [ "$$found" ] || echo "bench: nothing to measure yet"
	@bench/command_ls $(B)
	@if command -v redis-benchmark >/dev/null; then bench/run_overhead $(B); \
		else echo "bench: run_overhead: redis-server and redis-tools are not there (make deps-demo)"; fi

# The random and concurrent tests again and again, with new seeds, for SECONDS; then for as long Redis under
# memplug run, its blocks leaving and returning, with snapshots and rewrites; then Python's whole modules.
soak: deps-apps all
	@MODEL_SECONDS=60 tests/run $(B) --suite model --suite stress --for $(SECONDS)
	@MEMPLUG_APPS_SECONDS=$(SECONDS) MEMPLUG_APPS_FULL=1 tests/run-apps $(B) run-redis-server run-python3

# libFuzzer on what can be written, sent and read, for SECONDS each; needs clang.
fuzz: deps
	@tests/fuzz/run $(SECONDS)

check-apps: deps-apps all
	@tests/run-apps $(B)

mutants: deps
	@tests/run-mutants $(MUTANTS)

install: all
	@meson configure $(B) -Dprefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C $(B)

deps:
	@.ci/deps run
deps-check:
	@.ci/deps check
# The programs that check-apps runs.
deps-apps:
	@.ci/deps apps
deps-demo:
	@.ci/deps demo
# What .ci/run needs besides: clang, and the kernel's headers (70 MB).
deps-ci:
	@.ci/deps ci

clean:
	rm -rf $(B) build-ci build-mutants build-fuzz

.PHONY: all run check conformance oracle bench soak fuzz check-apps mutants install deps deps-check deps-apps deps-ci clean demo deps-demo

# Thin: CMake and the scripts do the work.  `make help` lists the targets.
PREFIX ?= /usr/local
DESTDIR ?=
# What installs missing packages; DEPS=true where apt is not.
DEPS ?= scripts/deps
# Its packages are those of scripts/deps, not of a Python first in PATH.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
# More arguments for cmake, ctest and `weir bench`.
CONFIGURE ?=
TESTS ?=
ARGS ?=

# For each fuzz target, and how many run at a time (empty: one a processor).
FUZZ_SECONDS ?= 30
FUZZ_JOBS ?=

# `make desync` and `make soak`: how much, and the seed of all choices.
COUNT ?= 1000000
SOAK_SECONDS ?= 600
SEED ?= $(shell date +%s)

.PHONY: help run test lint format install bench desync soak docs clean \
    configure build fuzz coverage valgrind reliability

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 15

run: ## build, then `weir bench`: what is the pool worth? (ARGS=...)
	@$(DEPS) build
	@$(MAKE) --no-print-directory build
	build/release/cli/weir bench $(ARGS)

# The release build is tested, because it is what ships: optimised, without
# assertions, the same that `run` and `install` use.  The sanitizers run on
# builds with assertions; .ci/run has them all.
test: ## build and run every test (one: TESTS="-R name")
	@$(DEPS) test
	@$(MAKE) --no-print-directory build
	@scripts/run-tests build/release $(TESTS)

lint: ## format, layers, symbols, cppcheck, clang-tidy
	@$(DEPS) all
	@$(MAKE) --no-print-directory build
	@cmake --preset lint $(CONFIGURE) >/dev/null
	@scripts/lint build/release build/lint

format: ## bring all C files into the house's form
	git ls-files -z --cached --others --exclude-standard '*.c' '*.h' | \
	    xargs -0r clang-format -i

install: ## into $(DESTDIR)$(PREFIX); PREFIX is /usr/local
	@$(DEPS) build
	@$(MAKE) --no-print-directory build
	DESTDIR="$(DESTDIR)" cmake --install build/release
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi

bench: ## weir beside other clients; writes docs/performance.md (ARGS=...)
	@$(DEPS) bench
	@$(MAKE) --no-print-directory build
	@rm -f build/bench.json
	$(PYTHON) bench/compare.py build/release --json build/bench.json $(ARGS)
	@if [ -e build/bench.json ]; then $(PYTHON) bench/report.py build/bench.json docs; fi

fuzz: ## every fuzz target, FUZZ_SECONDS=30 each (one: TARGETS="url")
	@$(DEPS) test
	@cmake --preset fuzz $(CONFIGURE) >/dev/null
	@cmake --build --preset fuzz
	@scripts/fuzz --seconds "$(FUZZ_SECONDS)" --jobs "$(FUZZ_JOBS)" \
	    build/fuzz $(TARGETS)

coverage: ## how many lines of src/ the tests run: at least 92 %
	@$(DEPS) all
	@cmake --preset coverage $(CONFIGURE) >/dev/null
	@cmake --build build/coverage
	@scripts/coverage build/coverage

valgrind: ## the unit tests under valgrind (one: TESTS="-R name")
	@$(DEPS) test
	@cmake --preset valgrind $(CONFIGURE) >/dev/null
	@cmake --build build/valgrind --target unit_tests
	@scripts/run-tests build/valgrind -L unit $(TESTS)

# Of all runs whose reports lie in build/.
reliability: ## docs/reliability.md: promises, tests, cases, failures
	@scripts/reliability $(sort $(wildcard build/*/tests.xml build/*.log))

desync: ## token-checked calls to origins that attack (COUNT=..., SEED=...)
	@$(DEPS) test
	@$(MAKE) --no-print-directory build
	build/release/tests/test_desync $(COUNT) $(SEED) >build/test_desync.log; \
	    status=$$?; cat build/test_desync.log; exit $$status

soak: ## all at once for SOAK_SECONDS: is what it holds flat in the end?
	@$(DEPS) test
	@$(MAKE) --no-print-directory build
	build/release/tests/test_soak $(SOAK_SECONDS) $(SEED) >build/test_soak.log; \
	    status=$$?; cat build/test_soak.log; exit $$status

docs: ## reference of the public headers: build/docs/html
	@$(DEPS) test
	scripts/build-docs build/docs

clean: ## remove build/
	rm -rf build

configure:
	@cmake --preset release -DCMAKE_INSTALL_PREFIX="$(PREFIX)" $(CONFIGURE)

build: configure
	@cmake --build build/release

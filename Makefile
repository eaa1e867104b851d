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

.PHONY: help run test lint format install bench docs clean configure build

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
	$(PYTHON) bench/compare.py build/release --json build/bench.json $(ARGS)
	$(PYTHON) bench/report.py build/bench.json docs

docs: ## reference of the public headers: build/docs/html
	@$(DEPS) test
	scripts/build-docs build/docs

clean: ## remove build/
	rm -rf build

configure:
	@cmake --preset release -DCMAKE_INSTALL_PREFIX="$(PREFIX)" $(CONFIGURE)

build: configure
	@cmake --build build/release

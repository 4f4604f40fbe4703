# What can be made. Built files go to ${XDG_CACHE_HOME:-~/.cache}/linchpin/target unless CARGO_TARGET_DIR says otherwise.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: help setup demo build console console-watch install uninstall package check test lint fuzz bench bench-full

FUZZ_SECONDS ?= 60

help:
	@echo 'make demo    build Linchpin and let a virtual device and a Python client exchange values through it'
	@echo 'make build   build the server for use (release)'
	@echo 'make install build, then put binaries, man pages and completions below PREFIX (/usr/local, or ~/.local without root)'
	@echo 'make package build the server and make a Debian package of it in the target folder'
	@echo 'make console  the browser application alone (needs Node.js 18); make console-watch builds it at every change'
	@echo 'make check   two minutes: formatting, lints, the tree'"'"'s rules and the crates that need no RocksDB'
	@echo 'make setup   put in place what the tests need'
	@echo 'make test    all checks that a change must pass'
	@echo 'make lint    formatting and lints only'
	@echo 'make fuzz    FUZZ_SECONDS=$(FUZZ_SECONDS) of fuzzing per target (needs nightly Rust and cargo-fuzz)'
	@echo 'make bench   30 minutes: CPU, accept, memory and TLS beside other runtimes; one table as Markdown and JSON'
	@echo 'make bench-full  170 minutes, goes on after an interruption: 15 rounds, brokers, 1,000,000 connections, storms'

setup:
	@tests/setup.sh test

demo:
	@tests/demo.sh

check:
	@tests/check.sh

build:
	@tests/setup.sh build
	@. tests/environment.sh && rocksdb=$$(tests/rocksdb.sh) && eval "$$rocksdb" && \
	    cargo build --release --locked --package linchpin --package loadgen && \
	    packaging/split-debug.sh "$$CARGO_TARGET_DIR/release" linchpin loadgen && \
	    echo "Built linchpin and loadgen in $$CARGO_TARGET_DIR/release"

console:
	@tests/console.sh build

console-watch:
	@tests/console.sh watch

install: build
	@packaging/install.sh

package: build
	@. tests/environment.sh && packaging/package.sh "$$CARGO_TARGET_DIR/package"

uninstall:
	@packaging/install.sh remove

test:
	@tests/run.sh

lint:
	@tests/run.sh fmt rocksdb clippy

fuzz:
	@. tests/environment.sh && cd tests/fuzz && for target in $$(cargo +nightly fuzz list); do \
	    echo "== $$target"; cargo +nightly fuzz run "$$target" -- -max_total_time=$(FUZZ_SECONDS) || exit 1; done

bench:
	@FRESH=1 benches/bench.sh core

bench-full:
	@benches/bench.sh full

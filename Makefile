# What can be made. Built files go to ${XDG_CACHE_HOME:-~/.cache}/linchpin/target unless CARGO_TARGET_DIR says otherwise.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: help setup demo build test lint fuzz bench

FUZZ_SECONDS ?= 60

help:
	@echo 'make demo    build Linchpin and let a virtual device and a Python client exchange values through it'
	@echo 'make build   build the server for use (release)'
	@echo 'make setup   put in place what the tests need'
	@echo 'make test    all checks that a change must pass'
	@echo 'make lint    formatting and lints only'
	@echo 'make fuzz    FUZZ_SECONDS=$(FUZZ_SECONDS) of fuzzing per target (needs nightly Rust and cargo-fuzz)'
	@echo 'make bench   memory per idle device, plain and TLS, the store, storms, scrapes, HTTP beside nginx'

setup:
	@tests/setup.sh test

demo:
	@tests/demo.sh

build:
	@tests/setup.sh demo
	@. tests/environment.sh && rocksdb=$$(tests/rocksdb.sh) && eval "$$rocksdb" && \
	    cargo build --release --package linchpin && echo "Built $$CARGO_TARGET_DIR/release/linchpin"

test:
	@tests/run.sh

lint:
	@tests/run.sh fmt rocksdb clippy

fuzz:
	@. tests/environment.sh && cd tests/fuzz && for target in $$(cargo +nightly fuzz list); do \
	    echo "== $$target"; cargo +nightly fuzz run "$$target" -- -max_total_time=$(FUZZ_SECONDS) || exit 1; done

bench:
	@tests/setup.sh demo
	@. tests/environment.sh && rocksdb=$$(tests/rocksdb.sh) && eval "$$rocksdb" && \
	    cargo build --release --locked --quiet --package linchpin --package linchpin-fleet --package linchpin-bench-storage && \
	    built=$$CARGO_TARGET_DIR/release && \
	    $$built/fleet memory --server-bin $$built/linchpin --state memory --devices 19000 --shards 1 --rounds 3 && \
	    $$built/fleet memory --server-bin $$built/linchpin --state memory --devices 60000 --shards 4 --rounds 3 && \
	    $$built/fleet memory --server-bin $$built/linchpin --devices 19000 --shards 1 --rounds 1 && \
	    $$built/bench-storage && \
	    for layer in in-place rustls; do for size in '10000 --shards 1' '60000 --shards 4'; do \
	        $$built/fleet memory --server-bin $$built/linchpin --state memory --tls $$layer --rounds 1 --devices $$size || exit 1; done; done && \
	    $$built/fleet storm --server-bin $$built/linchpin --tls in-place --devices 20000 --shards 2 --rounds 10 && \
	    $$built/fleet scrape --server-bin $$built/linchpin --devices 60000 --shards 4 --rounds 3 && \
	    if command -v nginx >/dev/null; then $$built/fleet http --server-bin $$built/linchpin --rounds 5; \
	    else echo 'HTTP beside nginx is left out, nginx is missing: sudo apt-get install -y nginx-light'; fi

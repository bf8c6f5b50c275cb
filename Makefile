# `make setup` once, then `make test`. Each target says what it runs.

.PHONY: all setup build test attacks lint demo demo-serve bench

all: build

setup:
	@scripts/setup.sh

build:
	@scripts/setup.sh build
	cargo build

test: setup
	@scripts/test.sh

# Every attack in every form; `make test` leaves out some of those that take seconds.
attacks: setup
	KEYHOLE_ATTACKS=all cargo test --test e2e --no-fail-fast attack::

lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

demo:
	@scripts/setup.sh demo
	cargo run --quiet -- demo

demo-serve:
	@scripts/setup.sh demo
	cargo run --quiet -- demo --serve

bench:
	@scripts/setup.sh demo
	python3 benches/run.py $(BENCH)

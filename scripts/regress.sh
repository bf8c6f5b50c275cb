#!/usr/bin/env bash
# PostgreSQL's own regression suite: its statements keep the properties of parsing and rewriting,
# read what PostgreSQL notes that they read, and answer through the proxy as on the masked twin.
#
#   scripts/regress.sh                 everything; some minutes
#   scripts/regress.sh --fetch         the sources only
#   REGRESS_ONLY="join window" scripts/regress.sh   these scripts only
#
# PG_REGRESS_SRC names `src/test/regress` of PostgreSQL 15's sources. Without it they come from
# Debian's source package of the installed server, into target/regress; nothing else downloads.
set -euo pipefail
cd "$(dirname "$0")/.."

fetch() {
    local place=$PWD/target/regress installed version file
    installed=$(dpkg-query -W -f='${Version}' postgresql-15 2>/dev/null) || {
        echo "regress: no package postgresql-15 here; set PG_REGRESS_SRC to src/test/regress of" \
            "PostgreSQL 15's sources" >&2
        exit 1
    }
    echo "regress: fetching the source package of postgresql-15 $installed into $place"
    rm -rf "$place"
    mkdir -p "$place/lists/partial" "$place/sources" "$place/package"
    # Sources of our own with deb-src switched on; the system's list is left alone.
    for file in /etc/apt/sources.list.d/*.sources /etc/apt/sources.list; do
        [ -f "$file" ] || continue
        case $file in
        *.sources) sed 's/^Types:.*/Types: deb-src/' "$file" >"$place/sources/${file##*/}" ;;
        *) sed -n 's/^deb /deb-src /p' "$file" >"$place/sources/main.list" ;;
        esac
    done
    local options=(-qq -o "Dir::Etc::sourceparts=$place/sources"
        -o Dir::Etc::sourcelist=/dev/null -o "Dir::State::lists=$place/lists"
        -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update
    # The mirror may have dropped the installed version's sources already. Then it is the newest that
    # it has, and a server of that version beside the installed one: expected output is as old as
    # the server.
    for version in "$installed" $(apt-cache "${options[@]}" showsrc --only-source postgresql-15 |
        sed -n 's/^Version: //p' | sort -Vr); do
        (cd "$place/package" && apt-get "${options[@]}" source --download-only "postgresql-15=$version" 2>/dev/null) && break
        echo "regress: the sources of $version cannot be had"
    done
    [ "$version" = "$installed" ] || (
        cd "$place/package"
        apt-get -qq -o APT::Sandbox::User=root download postgresql-{,client-,server-dev-}15="$version"
        for file in *.deb; do dpkg-deb -x "$file" "$place/server"; done
    )
    tar -xf "$place"/package/postgresql-15*.orig.tar.* -C "$place" --strip-components=1 \
        --wildcards '*/src/test/regress'
    rm -rf "$place/package" "$place/lists"
}

if [ -z "${PG_REGRESS_SRC:-}" ]; then
    export PG_REGRESS_SRC=$PWD/target/regress/src/test/regress
    [ -f "$PG_REGRESS_SRC/parallel_schedule" ] || fetch
fi
[ "${1:-}" != --fetch ] || exit 0
cargo test --test parsers -- --ignored --nocapture --test-threads 1 regress::

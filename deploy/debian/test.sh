#!/usr/bin/env bash
# Installs the package in a throw-away root, starts what it installed with the configuration that it
# brings, upgrades, removes and purges. Nothing of this machine changes: an overlay lies over /, in
# namespaces of its own. Needs: root, unshare, dpkg, curl; PROFILE=dev tests the development build.
set -euo pipefail
cd "$(dirname "$0")/../.."

package=${1:-$(deploy/debian/build.sh)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$package" "$work/keyhole.deb"

cat > "$work/inside.sh" <<'INSIDE'
set -euo pipefail
work=$1
mount --make-rprivate /
# The layers on a file system of their own, as the machine's may be an overlay itself.
mkdir -p "$work/layers"
mount -t tmpfs tmpfs "$work/layers"
mkdir "$work/layers/upper" "$work/layers/work" "$work/layers/root"
mount -t overlay overlay \
    -o "lowerdir=/,upperdir=$work/layers/upper,workdir=$work/layers/work" "$work/layers/root"
root=$work/layers/root
cp "$work/keyhole.deb" "$root/keyhole.deb"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
cat > "$root/steps.sh" <<'STEPS'
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
say() { echo "test-deb: $*"; }
fail() { echo "test-deb: FAILED: $*" >&2; exit 1; }
ip link set lo up 2> /dev/null || true

dpkg --install /keyhole.deb > /dpkg.log 2>&1 || { cat /dpkg.log; fail "it does not install"; }
[ "$(dpkg-query -W -f '${db:Status-Status}' keyhole)" = installed ] || fail "it is not installed"
id keyhole > /dev/null || fail "there is no account"
[ "$(stat -c '%U:%G %a' /etc/keyhole)" = 'root:keyhole 750' ] || fail "/etc/keyhole is open"
[ "$(stat -c '%U:%G %a' /var/lib/keyhole)" = 'keyhole:keyhole 700' ] || fail "/var/lib/keyhole is open"
[ "$(stat -c '%a' /etc/keyhole/environment)" = 600 ] || fail "everybody reads the passwords"
keyhole --version | grep -q '^keyhole ' || fail "the binary does not run"
systemd-analyze verify --man=no /lib/systemd/system/keyhole.service || fail "the unit is not right"
say "installed"

install -d -o keyhole -g keyhole /run/keyhole
cd /var/lib/keyhole
start() {
    setpriv --reuid=keyhole --regid=keyhole --clear-groups --no-new-privs --bounding-set=-all \
        keyhole serve --config /etc/keyhole/proxy.toml 2> /serve.log &
    pid=$!
    for _ in $(seq 100); do
        if grep -q '^ready ' /serve.log; then return; fi
        kill -0 "$pid" 2> /dev/null || { cat /serve.log; fail "it ended"; }
        sleep 0.1
    done
    cat /serve.log
    fail "it is not ready"
}
stop() {
    kill -TERM "$pid"
    wait "$pid" || { cat /serve.log; fail "it ended with $?"; }
}
start
keyhole ready || fail "it does not say that it is ready"
curl -fsS http://127.0.0.1:8432/metrics | grep -q '^keyhole_build_info' || fail "no metrics"
[ -S /run/keyhole/.s.PGSQL.6432 ] || fail "no socket"
kill -HUP "$pid"
stop
keyhole audit verify --dir /var/lib/keyhole/audit | grep -q ': ok, ' || fail "the log is not whole"
say "served, reloaded and ended with the configuration of the package"

echo '# changed here' >> /etc/keyhole/proxy.toml
dpkg --force-confold --install /keyhole.deb > /dpkg.log 2>&1 || { cat /dpkg.log; fail "no upgrade"; }
grep -q '^# changed here' /etc/keyhole/proxy.toml || fail "the configuration was overwritten"
start
stop
say "installed again over itself, the configuration kept"

dpkg --remove keyhole > /dpkg.log 2>&1 || { cat /dpkg.log; fail "it is not removed"; }
[ ! -e /usr/bin/keyhole ] && [ ! -e /lib/systemd/system/keyhole.service ] || fail "files are left"
[ -e /etc/keyhole/proxy.toml ] || fail "the configuration is gone before the purge"
say "removed, the configuration kept"

dpkg --purge keyhole > /dpkg.log 2>&1 || { cat /dpkg.log; fail "it is not purged"; }
grep -q 'holds an audit log' /dpkg.log || fail "nothing is said of the audit log"
[ ! -e /etc/keyhole ] || fail "/etc/keyhole is left"
[ -d /var/lib/keyhole/audit ] || fail "the audit log is gone"
dpkg --install /keyhole.deb > /dpkg.log 2>&1
rm -rf /var/lib/keyhole
dpkg --purge keyhole > /dpkg.log 2>&1 || { cat /dpkg.log; fail "it is not purged again"; }
[ ! -e /var/lib/keyhole ] || fail "/var/lib/keyhole is left"
! id keyhole > /dev/null 2>&1 || fail "the account is left"
[ -z "$(dpkg-query -W -f '${db:Status-Status}' keyhole 2> /dev/null)" ] || fail "dpkg remembers it"
say "purged: nothing is left but, once, the audit log"
STEPS
chroot "$root" bash /steps.sh
INSIDE

unshare --mount --pid --fork --net --uts --ipc --kill-child bash "$work/inside.sh" "$work"
if dpkg-query -W keyhole > /dev/null 2>&1 || [ -e /etc/keyhole ] || id keyhole > /dev/null 2>&1; then
    echo "test-deb: FAILED: the machine itself has changed" >&2
    exit 1
fi
echo "test-deb: passed; the machine is as it was"

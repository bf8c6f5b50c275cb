#!/usr/bin/env bash
# Builds keyhole_VERSION_ARCH.deb in target/debian; prints its path. No network but cargo's, and none at
# all where target/ is warm. PROFILE=dev packs the development build, for trying out; BINARY=… one that is
# there already. LEVEL (6) is how hard xz tries.
# Needs: cargo, dpkg-deb and dpkg-architecture (dpkg-dev), strip and objdump (binutils), gzip.
set -euo pipefail
cd "$(dirname "$0")/../.."

built=${BINARY:-}
if [ -z "$built" ]; then
    profile=${PROFILE:-release}
    cargo build --quiet --locked --profile "$profile" --bin keyhole
    case $profile in dev) built=target/debug/keyhole ;; *) built=target/$profile/keyhole ;; esac
fi

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)-1
arch=$(dpkg-architecture -qDEB_HOST_ARCH)
out=target/debian
root=$out/root
rm -rf "$root"
mkdir -p "$root/DEBIAN"
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}

install -D -m 0755 "$built" "$root/usr/bin/keyhole"
strip --strip-all --remove-section=.comment --remove-section=.note "$root/usr/bin/keyhole"

install -D -m 0644 deploy/systemd/keyhole.service "$root/lib/systemd/system/keyhole.service"
install -D -m 0644 deploy/systemd/keyhole.sysusers "$root/usr/lib/sysusers.d/keyhole.conf"
install -D -m 0644 deploy/debian/proxy.toml "$root/etc/keyhole/proxy.toml"
install -D -m 0644 deploy/debian/catalog.toml "$root/etc/keyhole/catalog/example.toml"
install -D -m 0600 deploy/debian/environment "$root/etc/keyhole/environment"

doc=$root/usr/share/doc/keyhole
install -D -m 0644 -t "$doc" docs/operations.md deploy/debian/copyright
install -m 0644 deploy/debian/README.Debian "$doc/README.Debian"
install -D -m 0644 -t "$doc/examples" proxy.toml catalog/shop.toml deploy/prometheus/rules.yml \
    deploy/grafana/dashboards/keyhole.json
gzip --best --no-name --stdout CHANGELOG.md > "$doc/changelog.gz"
sed "s/@VERSION@/$version/; s/@DATE@/$(date -R -u -d "@$SOURCE_DATE_EPOCH")/" deploy/debian/changelog |
    gzip --best --no-name > "$doc/changelog.Debian.gz"
install -D -m 0644 deploy/debian/lintian-overrides "$root/usr/share/lintian/overrides/keyhole"

# What the command line tells of itself, if it does.
if "$built" man --dir "$out/man" > /dev/null 2>&1; then
    install -D -m 0644 -t "$root/usr/share/man/man1" "$out"/man/*.1
    gzip --best --no-name "$root"/usr/share/man/man1/*.1
fi
shell_file() { # shell, path
    local text
    if text=$("$built" completions "$1" 2> /dev/null); then
        install -D -m 0644 /dev/null "$root/$2"
        printf '%s\n' "$text" > "$root/$2"
    fi
}
shell_file bash usr/share/bash-completion/completions/keyhole
shell_file zsh usr/share/zsh/vendor-completions/_keyhole
shell_file fish usr/share/fish/vendor_completions.d/keyhole.fish

# What the binary asks of the C library decides where it can be installed.
libc=$(objdump -T "$root/usr/bin/keyhole" | grep -o 'GLIBC_[0-9][0-9.]*' | sort -uV | tail -1)
sed "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@LIBC@/${libc#GLIBC_}/
     s/@SIZE@/$(du -sk --exclude=DEBIAN "$root" | cut -f1)/" \
    deploy/debian/control.in > "$root/DEBIAN/control"
install -m 0755 -t "$root/DEBIAN" deploy/debian/postinst deploy/debian/prerm deploy/debian/postrm
(cd "$root" && find etc -type f | sort | sed 's#^#/#') > "$root/DEBIAN/conffiles"
(cd "$root" && find usr lib -type f | sort | xargs md5sum) > "$root/DEBIAN/md5sums"
chmod 0644 "$root/DEBIAN/control" "$root/DEBIAN/conffiles" "$root/DEBIAN/md5sums"
find "$root" -type d -exec chmod 0755 {} +

package=$out/keyhole_${version}_$arch.deb
dpkg-deb --build --root-owner-group -Zxz -z${LEVEL:-6} "$root" "$package" > /dev/null
echo "$package"

# Two stages: the compiler stays behind, and the proxy runs as nobody in particular, without a shell.
# The binary is static: it needs no library at all. What it writes lies in /var/lib/keyhole: run it with
# a read-only root (docker run --read-only --cap-drop ALL --security-opt no-new-privileges).

# Distroless images have no version numbers: pin a digest by --build-arg RUNTIME=…@sha256:….
ARG RUNTIME=gcr.io/distroless/static-debian12:nonroot

FROM rust:1.95.0-bookworm AS build
# Debian's stable release changes for reasons of security only.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends clang libclang-dev make musl-tools \
 && rm -rf /var/lib/apt/lists/*
RUN rustup target add "$(uname -m)-unknown-linux-musl"
WORKDIR /src
COPY . .
# An empty folder of the proxy's own, for the volume: the last stage has no shell to make one.
RUN target="$(uname -m)-unknown-linux-musl" \
 && cargo build --release --locked --target "$target" --bin keyhole \
 && mkdir -p /out/usr/bin /out/var/lib/keyhole \
 && strip -o /out/usr/bin/keyhole "target/$target/release/keyhole"

# hadolint ignore=DL3006
FROM ${RUNTIME}
COPY --from=build /out/usr/bin/keyhole /usr/bin/keyhole
COPY --from=build --chown=10001:10001 --chmod=0700 /out/var/lib/keyhole /var/lib/keyhole
USER 10001:10001
WORKDIR /var/lib/keyhole
VOLUME /var/lib/keyhole
EXPOSE 6432 6433 8432
STOPSIGNAL SIGTERM
# Asks http of [control], on 127.0.0.1:8432 unless KEYHOLE_URL says otherwise.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["/usr/bin/keyhole", "ready"]
ENTRYPOINT ["/usr/bin/keyhole"]
CMD ["serve", "--config", "/etc/keyhole/proxy.toml"]

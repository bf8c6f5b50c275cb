# Two stages: the compiler stays behind, the proxy runs as nobody in particular.

FROM rust:1.95-bookworm AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends clang libclang-dev make \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /var/lib/keyhole --create-home keyhole
COPY --from=build /src/target/release/keyhole /usr/local/bin/keyhole
USER keyhole
WORKDIR /var/lib/keyhole
EXPOSE 6432 6433 8432
ENTRYPOINT ["keyhole"]
CMD ["serve", "--config", "/etc/keyhole/proxy.toml"]

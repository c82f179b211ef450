# A static binary in an empty image. The certificate authorities are bundled in it (webpki-roots), and used where the
# image has none: mount your own and name it as upstream.ca_file.

FROM rust:1.95-slim-bookworm AS build
# A named target, or +crt-static would be applied to build scripts and macros, too.
ENV CARGO_BUILD_TARGET=host-tuple RUSTFLAGS="-C target-feature=+crt-static"
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
# The dependencies alone, with an empty program: a layer that lasts until they change.
RUN mkdir src benches && echo 'fn main() {}' | tee src/main.rs benches/forwarding.rs && touch src/lib.rs \
 && cargo build --locked --release
COPY config config
COPY src src
# Checkouts may be older than the empty program.
RUN touch src/main.rs src/lib.rs && cargo build --locked --release && mv target/*/release/tidegate /

FROM scratch
COPY --from=build /tidegate /tidegate
# Nobody.
USER 65534:65534
# In a container, apps come from elsewhere. Only publish this port to whom you would give the key. Both addresses win
# over a file's, so that `serve` and `healthcheck` agree on the second.
ENV TIDEGATE_LISTEN=0.0.0.0:4290 TIDEGATE_ADMIN=127.0.0.1:4291
EXPOSE 4290
HEALTHCHECK --interval=10s --timeout=4s --start-period=3s CMD ["/tidegate", "healthcheck"]
ENTRYPOINT ["/tidegate"]
CMD ["serve"]

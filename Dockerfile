# syntax=docker/dockerfile:1
# A static binary in an empty image. The certificate authorities are bundled in it (webpki-roots), and used where the
# image has none: mount your own and name it as upstream.ca_file.

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends cmake make gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /tidegate
COPY . .
# An explicit target, or +crt-static would be applied to build scripts and macros, too.
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
 && RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --release --target "$target" \
 && cp "target/$target/release/tidegate" /tidegate/bin

FROM scratch
COPY --from=build /tidegate/bin /tidegate
COPY --from=build /tidegate/config/default.toml /etc/tidegate/tidegate.toml
# Nobody.
USER 65534:65534
# In a container, apps come from elsewhere. Only publish these ports to whom you would give the key.
ENV TIDEGATE_LISTEN=0.0.0.0:4290 TIDEGATE_ADMIN=127.0.0.1:4291
EXPOSE 4290
HEALTHCHECK --interval=10s --timeout=4s --start-period=3s CMD ["/tidegate", "healthcheck"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/tidegate"]
CMD ["serve"]

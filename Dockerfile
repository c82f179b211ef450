# A static binary in an empty image. The certificate authorities are bundled in it (webpki-roots), and used where the
# image has none: mount your own and name it as upstream.ca_file.
#
# The caches need BuildKit, which Docker 23 and newer, Compose and Podman build with; Docker 20.10 asks for DOCKER_BUILDKIT=1.

FROM rust:1.95-slim-bookworm AS build
# What `tidegate --version` names: --build-arg TIDEGATE_COMMIT=$(git rev-parse HEAD).
ARG TIDEGATE_COMMIT=
# A named target, or +crt-static would be applied to build scripts and macros, too.
ENV CARGO_BUILD_TARGET=host-tuple RUSTFLAGS="-C target-feature=+crt-static" CARGO_TARGET_DIR=/target
WORKDIR /build
# What .dockerignore lets through.
COPY . .
# Cargo goes by the time of a file, and a checkout may be older than what the cache has of another: hence `touch`.
RUN --mount=type=cache,id=tidegate-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=tidegate-target,target=/target,sharing=locked \
    find . -type f -exec touch {} + && cargo install --locked --profile dist --path . --root /out && mkdir /out/state

FROM scratch
LABEL org.opencontainers.image.title="Tidegate" \
      org.opencontainers.image.description="A local proxy for api.openai.com. It queues requests so that they stay under your rate limits" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/bin/tidegate /tidegate
# A volume that is mounted here belongs to the user below.
COPY --chown=65534:65534 --from=build /out/state /var/lib/tidegate
# Nobody.
USER 65534:65534
# In a container, apps come from elsewhere. Only publish this port to whom you would give the key. Both addresses win
# over a file's, so that `serve` and `healthcheck` agree on the second.
ENV TIDEGATE_LISTEN=0.0.0.0:4290 TIDEGATE_ADMIN=127.0.0.1:4291
EXPOSE 4290
HEALTHCHECK --interval=10s --timeout=4s --start-period=3s CMD ["/tidegate", "healthcheck"]
ENTRYPOINT ["/tidegate"]
CMD ["serve"]

# docker build -t tesla2mqtt .
# docker run -v ./tesla2mqtt.toml:/etc/tesla2mqtt/tesla2mqtt.toml:ro -v tesla2mqtt:/var/lib/tesla2mqtt tesla2mqtt
# An example with Mosquitto: config/compose.yaml

FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
# The cache mounts keep the crates between builds; the program is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked \
    && cp target/release/tesla2mqtt /tesla2mqtt \
    && mkdir /state

# glibc, the certificates of the public CAs and nothing else: no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /tesla2mqtt /usr/bin/tesla2mqtt
# A new volume takes over the owner of the directory in the image.
COPY --from=build --chown=65532:65532 /state /var/lib/tesla2mqtt
USER 65532:65532
VOLUME /var/lib/tesla2mqtt
# Looks at the age of a file that the working loop touches. It asks neither Tesla nor the broker:
# an outage of theirs is waited out, and restarting would not help. It reads the configuration from
# the usual place; who names another in `run --config` names it here, too (--health-cmd).
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/usr/bin/tesla2mqtt", "health"]
ENTRYPOINT ["/usr/bin/tesla2mqtt"]
CMD ["run"]

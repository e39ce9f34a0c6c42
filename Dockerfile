# Two stages: one that builds, one that runs with nothing but the libraries leat links.
FROM debian:12-slim AS build
COPY . /src
WORKDIR /src
RUN scripts/build --strip --prefix=/usr && DESTDIR=/out meson install -C build --no-rebuild --tags runtime

FROM debian:12-slim AS run
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends librdkafka1 libfyaml0 libxxhash0 libpcre2-8-0 libcurl4 libmicrohttpd12 libgnutls30 librabbitmq4 libssl3 libzmq5 libpaho-mqtt1.3 libzstd1 liblz4-1 zlib1g libsnappy1v5 liblua5.4-0 tzdata ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --home-dir /var/lib/leat --create-home leat
COPY --from=build /out/ /
COPY config/examples /etc/leat/examples
USER leat
WORKDIR /var/lib/leat
VOLUME /var/lib/leat
HEALTHCHECK --interval=10s --start-period=60s CMD ["leat", "health"]
ENTRYPOINT ["leat"]
CMD ["run", "/etc/leat/examples/orders-per-city.yaml", "--set", "http.listen=4190"]

# A Flume agent: there is no image of the project's own.
FROM eclipse-temurin:11-jre
ADD https://archive.apache.org/dist/flume/1.11.0/apache-flume-1.11.0-bin.tar.gz /tmp/flume.tar.gz
RUN mkdir -p /opt/flume /var/lib/flume \
 && tar -xzf /tmp/flume.tar.gz --strip-components=1 -C /opt/flume \
 && rm /tmp/flume.tar.gz
VOLUME /var/lib/flume
ENTRYPOINT ["/opt/flume/bin/flume-ng", "agent", "--conf", "/opt/flume/conf", "--name", "agent"]

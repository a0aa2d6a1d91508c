# A node of minicloud. Which one it is, its config says; compose.yml starts three. One alone:
#   docker build -t minicloud .
#   docker run --rm --hostname node1 -e MINICLOUD_CLUSTER_SECRET=mine -p 127.0.0.1:9001:9001 -v minicloud:/data minicloud

FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
# The image gets no pip (the builder's own works on the environment from outside), and not the tests that packages bring.
RUN python -m venv --without-pip /opt/minicloud \
    && python -m pip --python /opt/minicloud/bin/python install --no-cache-dir . \
    && find /opt/minicloud -depth -type d \( -name test -o -name tests \) -exec rm -r {} +
# Twisted looks for plugins once and writes down what it found; the node's own user could not.
RUN /opt/minicloud/bin/python -c "from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))"

FROM python:3.13-slim
COPY --from=build /opt/minicloud /opt/minicloud
RUN useradd --system --uid 10001 --home-dir /data --no-create-home minicloud \
    && mkdir -m 0700 /data \
    && chown minicloud /data \
    && ln -s /opt/minicloud/share/minicloud/configs /configs
# Nothing is written outside /data, so the root file system may be read-only.
ENV PATH=/opt/minicloud/bin:$PATH HOME=/data PYTHONDONTWRITEBYTECODE=1
USER minicloud
WORKDIR /data
VOLUME /data
EXPOSE 9001 9011
# Alive means that the reactor turns. Whether there is a leader is /readyz, and no reason to end a node.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-m", "minicloud.service.health"]
# No shell in between: SIGTERM reaches the node, which hands leadership over, finishes its requests and exits with 0.
STOPSIGNAL SIGTERM
ENTRYPOINT ["twistd", "--nodaemon", "minicloud"]
CMD ["--config", "/configs/docker-node1.yaml"]

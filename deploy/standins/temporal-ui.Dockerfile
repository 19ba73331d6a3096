# Stands in for temporalio/ui: the UI's server built from the sources of that version, its own script and settings;
# on Debian in place of Alpine, with busybox's wget as there.
FROM standin/debian:12
RUN groupadd --gid 1000 temporal && useradd --uid 1000 --gid temporal --create-home temporal \
    && ln -s /bin/busybox /usr/bin/wget
WORKDIR /home/ui-server
COPY ui-server start-ui-server.sh ./
COPY docker.yaml config/
RUN chmod 755 ui-server start-ui-server.sh
USER temporal
EXPOSE 8080
ENTRYPOINT ["./start-ui-server.sh"]

# Stands in for temporalio/admin-tools: the schema tool built from the sources of that version, and the wheel's CLI.
FROM standin/debian:12
RUN groupadd --gid 1000 temporal && useradd --uid 1000 --gid temporal --create-home temporal
COPY temporal-sql-tool temporal /usr/local/bin/
RUN chmod 755 /usr/local/bin/temporal*
USER temporal
CMD ["sh", "-c", "trap exit INT HUP TERM; sleep infinity & wait"]

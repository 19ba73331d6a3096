# Stands in for temporalio/server: the server built from the sources of that version, its own entry point; on Debian
# in place of Alpine, with bash for the shell that understands pipefail, and for `nc -z`, which Debian's busybox lacks.
FROM standin/debian:12
RUN groupadd --gid 1000 temporal && useradd --uid 1000 --gid temporal --create-home temporal \
    && ln -sf bash /bin/sh \
    && printf '#!/bin/bash\n[ "$1" = -z ] && exec 3<>"/dev/tcp/$2/$3"\n' >/usr/bin/nc && chmod 755 /usr/bin/nc
COPY temporal-server /usr/local/bin/
COPY entrypoint.sh /etc/temporal/
RUN chmod 755 /usr/local/bin/temporal-server /etc/temporal/entrypoint.sh
WORKDIR /etc/temporal
USER temporal
CMD ["/etc/temporal/entrypoint.sh"]

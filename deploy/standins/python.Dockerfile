# Stands in for python:…-slim-bookworm: the same Debian, with Debian's own Python 3.11 in place of the one built there.
FROM standin/debian:12
RUN ln -s /usr/bin/python3 /usr/local/bin/python \
    && ln -s /usr/bin/pip3 /usr/local/bin/pip \
    && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
# Whatever this machine's package index is signed by: pip and uv are to believe Debian's bundle.
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt

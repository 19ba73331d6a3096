#!/bin/sh
# Starts the image's own entry point with the password from its file, which the image itself takes from the environment.
set -eu
POSTGRES_PWD=$(cat /run/secrets/postgres-temporal)
export POSTGRES_PWD
exec /etc/temporal/entrypoint.sh

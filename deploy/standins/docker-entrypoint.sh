#!/bin/bash
# What docker-compose.yml uses of the Postgres image's entry point: first start, password file, scripts, local server.
set -euo pipefail

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    POSTGRES_PASSWORD=$(<"$POSTGRES_PASSWORD_FILE")
    eval "initdb --username=postgres --pwfile=<(printf '%s\n' \"\$POSTGRES_PASSWORD\") --pgdata='$PGDATA' ${POSTGRES_INITDB_ARGS:-}"
    printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
    sed -i "s/^#\?listen_addresses = .*/listen_addresses = '*'/" "$PGDATA/postgresql.conf"
    pg_ctl --wait --options="$(printf ' %q' "${@:2}") -c listen_addresses='' -c unix_socket_directories=/var/run/postgresql" \
        --pgdata="$PGDATA" start
    export PGPASSWORD=$POSTGRES_PASSWORD
    for script in /docker-entrypoint-initdb.d/*; do
        case $script in
            *.sh) if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
            *.sql) psql --set=ON_ERROR_STOP=1 --no-psqlrc --username=postgres --dbname=postgres --file="$script" ;;
        esac
    done
    unset PGPASSWORD
    pg_ctl --mode=fast --wait --pgdata="$PGDATA" stop
fi
exec "$@" -c unix_socket_directories=/var/run/postgresql

#!/bin/sh
# Brings Temporal's two databases to the schema of the image's own version. Does nothing where they are there already.
set -eu
SQL_PASSWORD=$(cat /run/secrets/postgres-temporal)
export SQL_PASSWORD

for database in temporal visibility; do
    name=temporal
    [ "$database" = temporal ] || name=temporal_$database
    temporal-sql-tool --database "$name" setup-schema --version 0.0
    temporal-sql-tool --database "$name" update-schema --schema-name "postgresql/v12/$database"
done

#!/bin/bash
# Run once by the Postgres image, on an empty volume: the ledger's database and Temporal's two, each with its own roles.
set -euo pipefail

# As variables of psql: passwords appear in no process list. (psql's \getenv reads what is exported here.)
owner=$(<"/run/secrets/postgres-owner")
app=$(<"/run/secrets/postgres-app")
keeper=$(<"/run/secrets/postgres-keeper")
temporal=$(<"/run/secrets/postgres-temporal")
export owner app keeper temporal

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres <<'SQL'
\getenv owner owner
\getenv app app
\getenv keeper keeper
\getenv temporal temporal
SET log_statement = 'none';
CREATE ROLE hookledger_owner LOGIN PASSWORD :'owner';
CREATE ROLE hookledger_app LOGIN PASSWORD :'app';
CREATE ROLE hookledger_keeper LOGIN PASSWORD :'keeper';
CREATE ROLE temporal LOGIN PASSWORD :'temporal';

CREATE DATABASE hookledger OWNER hookledger_owner;
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE ALL ON DATABASE hookledger, temporal, temporal_visibility, postgres FROM PUBLIC;
GRANT CONNECT ON DATABASE hookledger TO hookledger_app, hookledger_keeper;
GRANT TEMPORARY ON DATABASE hookledger TO hookledger_app;
SQL

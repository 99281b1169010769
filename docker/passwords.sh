#!/bin/sh
# Run once by the postgres image, after roles.sql: gives both roles their passwords.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set owner="$OWNER_PASSWORD" --set app="$APP_PASSWORD" <<'SQL'
ALTER ROLE fintech_owner PASSWORD :'owner' NOCREATEDB;
ALTER ROLE fintech_app PASSWORD :'app';
SQL

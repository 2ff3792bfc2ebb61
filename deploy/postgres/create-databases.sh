#!/bin/sh
# Runs once, when the server's data directory is empty: one owner and its databases for the product, one for
# Temporal. The passwords stay out of the command line, which every process of the container can read.
# Not -u: the image sources a file that lost its executable bit, and its own script relies on unset variables.
set -e

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
  --username "${POSTGRES_USER:-postgres}" --dbname "${POSTGRES_DB:-postgres}" <<'SQL'
\getenv registro_password REGISTRO_DB_PASSWORD
\getenv temporal_password TEMPORAL_DB_PASSWORD

CREATE ROLE registro LOGIN PASSWORD :'registro_password';
CREATE DATABASE registro OWNER registro;
REVOKE ALL ON DATABASE registro FROM PUBLIC;

CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE ALL ON DATABASE temporal FROM PUBLIC;
REVOKE ALL ON DATABASE temporal_visibility FROM PUBLIC;
SQL

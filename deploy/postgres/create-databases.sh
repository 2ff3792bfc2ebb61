#!/bin/sh
# Runs once, when the server's data directory is empty: one owner and its databases for the product, one for
# Temporal, and the account with which the product's processes work: it owns nothing, so it cannot undo what
# keeps the audit trail append-only. The passwords stay out of the command line, which every process of the container can read.
# Not -u: the image sources a file that lost its executable bit, and its own script relies on unset variables.
set -e

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
  --username "${POSTGRES_USER:-postgres}" --dbname "${POSTGRES_DB:-postgres}" <<'SQL'
\getenv registro_password REGISTRO_DB_PASSWORD
\getenv registro_app_password REGISTRO_APP_DB_PASSWORD
\getenv temporal_password TEMPORAL_DB_PASSWORD

CREATE ROLE registro LOGIN PASSWORD :'registro_password';
CREATE DATABASE registro OWNER registro;
REVOKE ALL ON DATABASE registro FROM PUBLIC;

CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE ALL ON DATABASE temporal FROM PUBLIC;
REVOKE ALL ON DATABASE temporal_visibility FROM PUBLIC;

CREATE ROLE registro_app LOGIN PASSWORD :'registro_app_password';
GRANT CONNECT ON DATABASE registro TO registro_app;
\connect registro
GRANT USAGE ON SCHEMA public TO registro_app;
-- Of every table that a migration makes from now on; the audit trail's takes UPDATE and DELETE back.
ALTER DEFAULT PRIVILEGES FOR ROLE registro IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO registro_app;
ALTER DEFAULT PRIVILEGES FOR ROLE registro IN SCHEMA public GRANT USAGE ON SEQUENCES TO registro_app;
SQL

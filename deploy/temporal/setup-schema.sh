#!/bin/sh
# Brings Temporal's two databases to the schema of this image's version; running it again does no harm. The
# databases exist already: their owner may not create any. The tool reads the password from SQL_PASSWORD.
set -eu

schemas=/etc/temporal/schema/postgresql/v12

sql_tool() {
  database=$1
  shift
  temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_SEEDS" -p "$DB_PORT" -u "$POSTGRES_USER" \
    --db "$database" "$@"
}

sql_tool temporal setup-schema -v 0.0
sql_tool temporal update-schema -d "$schemas/temporal/versioned"
sql_tool temporal_visibility setup-schema -v 0.0
sql_tool temporal_visibility update-schema -d "$schemas/visibility/versioned"

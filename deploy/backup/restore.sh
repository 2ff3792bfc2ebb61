#!/bin/sh
# Restore what backup.sh wrote into databases that are empty or absent; the processes stay down meanwhile:
#   PGHOST=… PGUSER=… PGPASSWORD=… sh deploy/backup/restore.sh DIRECTORY [DATABASE…]
# The owners have to exist: deploy/postgres/create-databases.sh makes them.
set -eu

directory=${1:?"usage: restore.sh DIRECTORY [DATABASE...]"}
shift
[ "$#" -gt 0 ] || set -- temporal temporal_visibility registro

for database in "$@"; do
  if ! psql --dbname="$database" --command='' >/dev/null 2>&1; then
    createdb "$database"
  fi
  # All or nothing, and nothing is dropped: a database in use is not restored over.
  pg_restore --exit-on-error --single-transaction --dbname="$database" "$directory/$database.dump"
  echo "restored: $database"
done

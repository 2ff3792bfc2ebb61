#!/bin/sh
# Restore what backup.sh wrote into databases that are empty or absent; the processes stay down meanwhile:
#   PGHOST=… PGUSER=… PGPASSWORD=… sh deploy/backup/restore.sh DIRECTORY [DATABASE…]
# The owners have to exist: deploy/postgres/create-databases.sh makes them, with empty databases.
set -eu
. "$(dirname "$0")/programs.sh"

directory=${1:?"usage: restore.sh DIRECTORY [DATABASE...]"}
shift
[ "$#" -gt 0 ] || set -- temporal temporal_visibility registro

pg_restore=$(matching postgres pg_restore)
for database in "$@"; do
  dump=$directory/$database.dump
  if ! psql --dbname="$database" --command='' >/dev/null 2>&1; then
    # The database itself, with its owner and with who may enter it: a new one would be the administrator's, and
    # open to every account. Its content follows below.
    list=$(mktemp)
    "$pg_restore" --create --list "$dump" | grep -E ' (DATABASE|DATABASE PROPERTIES|ACL - DATABASE) ' >"$list"
    "$pg_restore" --create --use-list="$list" --exit-on-error --dbname=postgres "$dump"
    rm "$list"
  fi
  # All or nothing, and nothing is dropped: a database in use is not restored over.
  "$pg_restore" --exit-on-error --single-transaction --dbname="$database" "$dump"
  echo "restored: $database"
done

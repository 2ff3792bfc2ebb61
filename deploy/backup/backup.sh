#!/bin/sh
# Back up Temporal's databases and then the product's, one file each:
#   PGHOST=… PGUSER=… PGPASSWORD=… sh deploy/backup/backup.sh DIRECTORY [DATABASE…]
# In this order on purpose. What the product's database knows beyond Temporal's is done again and changes
# nothing; a workflow that remembers an account which the database has lost could not go on.
set -eu
. "$(dirname "$0")/programs.sh"

directory=${1:?"usage: backup.sh DIRECTORY [DATABASE...]"}
shift
[ "$#" -gt 0 ] || set -- temporal temporal_visibility registro

# Monitoring warns where the product's last backup is old; other databases have no such table.
write_down() {
  table=$(psql --no-psqlrc --tuples-only --no-align --dbname="$1" --command="SELECT to_regclass('milestones')")
  [ -z "$table" ] || psql --no-psqlrc --quiet --dbname="$1" --command="INSERT INTO milestones (name, reached_at)
    VALUES ('backup', now()) ON CONFLICT (name) DO UPDATE SET reached_at = excluded.reached_at" ||
    echo "backed up, but $PGUSER may not write that into $1: monitoring will not know" >&2
}

umask 077
mkdir -p "$directory"
pg_dump=$(matching "$1" pg_dump)
for database in "$@"; do
  # Under another name until it is whole, so that a file that is there can be trusted.
  "$pg_dump" --format=custom --file="$directory/$database.partial" "$database"
  mv "$directory/$database.partial" "$directory/$database.dump"
  echo "backed up: $database"
  write_down "$database"
done

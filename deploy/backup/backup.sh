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

umask 077
mkdir -p "$directory"
pg_dump=$(matching "$1" pg_dump)
for database in "$@"; do
  # Under another name until it is whole, so that a file that is there can be trusted.
  "$pg_dump" --format=custom --file="$directory/$database.partial" "$database"
  mv "$directory/$database.partial" "$directory/$database.dump"
  echo "backed up: $database"
done

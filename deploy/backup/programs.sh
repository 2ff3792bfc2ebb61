#!/bin/sh
# Sourced by backup.sh and restore.sh: finds PostgreSQL's programs that match the server.
# An older pg_dump refuses a newer server, and what a newer one wrote an older pg_restore cannot read.

major_of() {
  "$1" --version | sed -n 's/^[^0-9]*\([0-9][0-9]*\).*/\1/p'
}

# matching DATABASE PROGRAM: the path of the program in the server's release, or in the next one that there is.
matching() {
  server=$(psql --no-psqlrc --tuples-only --no-align --dbname="$1" --command='SHOW server_version_num')
  wanted=$((server / 10000))
  versions=${POSTGRES_VERSIONS:-/usr/lib/postgresql}
  if [ -x "$versions/$wanted/bin/$2" ]; then
    echo "$versions/$wanted/bin/$2"
  elif [ "$(major_of "$2")" -ge "$wanted" ]; then
    command -v "$2"
  else
    echo "$2 is of release $(major_of "$2") and the server of $wanted: install postgresql-client-$wanted" >&2
    return 1
  fi
}

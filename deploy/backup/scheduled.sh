#!/bin/sh
# For a clock: back up into a directory that is named by the moment, and delete those that are older than KEEP_DAYS:
#   PGHOST=… PGUSER=… PGPASSWORD=… KEEP_DAYS=7 sh deploy/backup/scheduled.sh DIRECTORY [DATABASE…]
# Nothing is deleted unless the new backup is whole, so a clock that fails keeps what there is.
set -eu

directory=${1:?"usage: scheduled.sh DIRECTORY [DATABASE...]"}
shift
days=${KEEP_DAYS:-7}
case $days in
  # A shell calculates with any word, and `find` would take the new backup too.
  *[!0-9]* | 0*)
    echo "KEEP_DAYS=$days: use a number of days from 1 on" >&2
    exit 2
    ;;
esac
sh "$(dirname "$0")/backup.sh" "$directory/$(date -u +%Y-%m-%dT%H%M%SZ)" "$@"
find "$directory" -mindepth 1 -maxdepth 1 -type d -name '20*Z' -mtime "+$((days - 1))" -exec rm -r {} +

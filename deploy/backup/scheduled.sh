#!/bin/sh
# For a clock: back up into a directory that is named by the moment, and delete those that are older than KEEP_DAYS:
#   PGHOST=… PGUSER=… PGPASSWORD=… KEEP_DAYS=7 sh deploy/backup/scheduled.sh DIRECTORY [DATABASE…]
# Nothing is deleted unless the new backup is whole, so a clock that fails keeps what there is.
set -eu

directory=${1:?"usage: scheduled.sh DIRECTORY [DATABASE...]"}
shift
sh "$(dirname "$0")/backup.sh" "$directory/$(date -u +%Y-%m-%dT%H%M%SZ)" "$@"
find "$directory" -mindepth 1 -maxdepth 1 -type d -name '20*Z' -mtime "+$((${KEEP_DAYS:-7} - 1))" -exec rm -r {} +

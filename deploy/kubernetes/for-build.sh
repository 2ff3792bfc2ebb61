#!/bin/sh
# Print manifests for another build than the one they are written for; the build is the image's tag:
#   sh deploy/kubernetes/for-build.sh 0.2.0 40-worker.yaml | kubectl apply -f -
set -eu

written=0.1.0
build=${1:?"usage: for-build.sh BUILD FILE..."}
shift
case $build in
  *[!0-9a-z.]*) echo "for-build.sh: '$build' is no build: use digits, small letters and dots" >&2; exit 1 ;;
esac

cd "$(dirname "$0")"
# Names of resources have dashes where the build has dots.
dashes() {
  printf '%s' "$1" | tr . -
}
for file in "$@"; do
  echo "---"
  sed -e "s/$(printf '%s' "$written" | sed 's/\./\\./g')/$build/g" -e "s/$(dashes "$written")/$(dashes "$build")/g" "$file"
done

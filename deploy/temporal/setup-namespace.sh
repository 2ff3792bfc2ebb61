#!/bin/sh
# Creates the namespace and the search attributes, or completes what is there; running it again does no harm.
# The CLI reads TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE.
set -eu

: "${TEMPORAL_ADDRESS:?}" "${TEMPORAL_NAMESPACE:?}" "${NAMESPACE_RETENTION:?}"
attempts=${SETUP_ATTEMPTS:-60}
pause=${SETUP_PAUSE_SECONDS:-2}

# The server keeps answering that a namespace or an attribute does not exist until its caches are read again,
# so every step is repeated.
eventually() {
  left=$attempts
  until answer=$("$@" 2>&1); do
    left=$((left - 1))
    if [ "$left" -le 0 ]; then
      echo "temporal-setup: no se logró \`$*\`: $answer" >&2
      return 1
    fi
    sleep "$pause"
  done
}

ensure_namespace() {
  if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
    temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention "$NAMESPACE_RETENTION"
  else
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$NAMESPACE_RETENTION"
  fi
}

type_of() {
  printf '%s\n' "$answer" | awk -v name="$1" '$1 == name { print $2 }'
}

# An attribute cannot change its type: a wrong one is for a person to decide, not to be tried again.
ensure_attribute() {
  eventually temporal operator search-attribute list
  found=$(type_of "$1")
  case $found in
    "$2") ;;
    "") eventually temporal operator search-attribute create --name "$1" --type "$2" ;;
    *)
      echo "temporal-setup: el atributo $1 es de tipo $found y debe ser $2" >&2
      return 1
      ;;
  esac
  eventually temporal workflow count --query "$1 IS NULL"
}

eventually temporal operator cluster health
eventually ensure_namespace
ensure_attribute RegistrationStage Keyword
ensure_attribute UserType Keyword
ensure_attribute WaitingOn KeywordList
ensure_attribute StuckSince Datetime
echo "temporal-setup: espacio de nombres $TEMPORAL_NAMESPACE listo"

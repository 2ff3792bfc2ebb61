#!/bin/sh
# Writes the .env that docker-compose.yml reads, with secrets of its own: `sh deploy/make-env.sh [FILE]`.
set -eu

file=${1:-$(dirname "$0")/../.env}

# Never overwrite secrets in use: without them the histories and the databases stay closed.
if [ -e "$file" ]; then
  echo "$file ya existe: no se cambia. Bórrelo solo si también va a borrar los datos." >&2
  exit 1
fi

# Hexadecimal, because some of these go into URLs.
random() {
  od -An -vtx1 -N "$1" /dev/urandom | tr -d ' \n'
}

umask 077
cat >"$file.new" <<ENV
POSTGRES_PASSWORD=$(random 24)
TEMPORAL_DB_PASSWORD=$(random 24)
REGISTRO_DB_PASSWORD=$(random 24)
REGISTRO_APP_DB_PASSWORD=$(random 24)
TEMPORAL_UI_PASSWORD=$(random 16)
MIPRES_SECRET_KEY=$(random 32)
MIPRES_PAYLOAD_KEYS=k1:$(head -c 32 /dev/urandom | base64)
MIPRES_AUDIT_KEYS=a1:$(head -c 32 /dev/urandom | base64)
MIPRES_API_KEYS=$(random 32)
REGISTRY_TOKEN=$(random 24)
ENV
mv "$file.new" "$file"
echo "Secretos nuevos en $file"

# shellcheck shell=sh
# Creates the database on the first start, then becomes the server. Local connections need no password,
# others do: as in the official image.
set -eu

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /run/postgresql
    chown postgres:postgres "$PGDATA" /run/postgresql
    chmod 0700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --init-groups /bin/sh "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ "${POSTGRES_HOST_AUTH_METHOD:-}" = trust ]; then POSTGRES_PASSWORD="${POSTGRES_PASSWORD:-unused}"; fi
    : "${POSTGRES_PASSWORD:?must be set on the first start}"
    user="${POSTGRES_USER:-postgres}"
    database="${POSTGRES_DB:-$user}"
    umask 077
    echo "$POSTGRES_PASSWORD" >/tmp/password
    initdb --no-sync --encoding=UTF8 --username="$user" --pwfile=/tmp/password \
        --auth-local=trust --auth-host=scram-sha-256 >/tmp/initdb.log || { cat /tmp/initdb.log >&2; exit 1; }
    rm /tmp/password
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    if [ "$database" != postgres ]; then
        # The server in single-user mode: nothing listens before everything is in place.
        echo "CREATE DATABASE \"$database\"" | postgres --single -j -D "$PGDATA" postgres >/dev/null
    fi
fi

exec postgres -c listen_addresses='*' "$@"

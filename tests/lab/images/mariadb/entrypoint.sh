# shellcheck shell=sh
# Creates the database on the first start, then becomes the server. root needs its password everywhere, as in
# the official image.
set -eu

data=/var/lib/mysql
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$data" /run/mysqld
    chown mysql:mysql "$data" /run/mysqld
    exec setpriv --reuid=mysql --regid=mysql --init-groups /bin/sh "$0" "$@"
fi

small="--innodb-buffer-pool-size=16M --innodb-log-file-size=8M --performance-schema=OFF"
if [ ! -d "$data/mysql" ]; then
    if [ -n "${MARIADB_ROOT_PASSWORD_FILE:-}" ]; then
        MARIADB_ROOT_PASSWORD=$(cat "$MARIADB_ROOT_PASSWORD_FILE")
    fi
    if [ -z "${MARIADB_ALLOW_EMPTY_ROOT_PASSWORD:-}" ]; then
        : "${MARIADB_ROOT_PASSWORD:?must be set on the first start}"
    fi
    root="IDENTIFIED BY '${MARIADB_ROOT_PASSWORD:-}'"
    # shellcheck disable=SC2086 # options, one word each
    mariadb-install-db --no-defaults --datadir="$data" --skip-test-db \
        --auth-root-authentication-method=normal $small >/tmp/install.log 2>&1 ||
        { cat /tmp/install.log >&2; exit 1; }
    umask 077
    {
        echo "DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost';"
        echo "FLUSH PRIVILEGES;"
        echo "ALTER USER root@localhost $root;"
        echo "CREATE USER root@'%' $root;"
        echo "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
        [ -z "${MARIADB_DATABASE:-}" ] || echo "CREATE DATABASE \`$MARIADB_DATABASE\`;"
        if [ -n "${MARIADB_USER:-}" ]; then
            echo "CREATE USER \`$MARIADB_USER\`@'%' IDENTIFIED BY '$MARIADB_PASSWORD';"
            echo "GRANT ALL ON \`${MARIADB_DATABASE:-%}\`.* TO \`$MARIADB_USER\`@'%';"
        fi
    } >/tmp/init.sql
    # Nobody can connect before everything is in place: the server reads from a file and has no network.
    # shellcheck disable=SC2086
    mariadbd --no-defaults --datadir="$data" $small --bootstrap </tmp/init.sql >/tmp/bootstrap.log 2>&1 ||
        { cat /tmp/bootstrap.log >&2; exit 1; }
    rm /tmp/init.sql
fi

# shellcheck disable=SC2086
exec mariadbd --no-defaults --datadir="$data" --socket=/run/mysqld/mysqld.sock --bind-address=0.0.0.0 $small "$@"

"""How database servers are talked to inside their containers: constant scripts with positional arguments.

A password stays inside: it is read there from the container's own environment, and is in no argument.
"""

from ci_lib.domain.errors import StepFault
from ci_lib.domain.reasons import Reason
from ci_lib.domain.running import Health
from ci_lib.targets.compose.observe import observe
from ci_lib.targets.compose.site import Site

# Arguments: user, variable that holds the password or nothing. The rest stays in place.
_MYSQL = """
set -eu; user=$1 variable=$2; shift 2
if [ -n "$variable" ]; then
  if MYSQL_PWD=$(printenv "$variable"); then :
  elif file=$(printenv "${variable}_FILE"); then MYSQL_PWD=$(cat "$file")
  else echo "neither $variable nor ${variable}_FILE is set in the container" >&2; exit 1; fi
  export MYSQL_PWD
fi
if command -v mariadb >/dev/null; then client=mariadb; else client=mysql; fi
sql() { "$client" --user="$user" --skip-column-names --batch "$@"; }
"""

# Further argument: database. MySQL writes its global transaction ids into a dump unless told not to, and then
# refuses to load it; MariaDB does not know the option. The first statement keeps what a table that is made
# later inherits, wherever the dump is loaded.
_DUMP = """
if command -v mariadb-dump >/dev/null; then dump=mariadb-dump; else dump=mysqldump; fi
sql "$1" --execute "SELECT CONCAT('ALTER DATABASE CHARACTER SET = ', @@character_set_database,
  ' COLLATE = ', @@collation_database, ';')" </dev/null
set -- --single-transaction --quick --routines --triggers --events --hex-blob --no-tablespaces "$1"
case $("$dump" --help) in *--set-gtid-purged*) set -- --set-gtid-purged=OFF "$@" ;; esac
exec "$dump" --user="$user" "$@"
"""

# Further argument: database, a plain name by the rules of deploy.yml. The dump comes in on standard input.
# There is no transaction around this: MySQL commits at every statement that changes a table's shape.
_LOAD = """
sql --execute "SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist
  WHERE db = '$1' AND id <> CONNECTION_ID()" </dev/null | sql --force || true
sql --execute "DROP DATABASE IF EXISTS \\`$1\\`; CREATE DATABASE \\`$1\\`" </dev/null
sql "$1"
"""

# Further argument: database, which may be gone. Prints its size in bytes.
_SIZE = """
sql --execute "SELECT CAST(COALESCE(SUM(data_length + index_length), 0) AS UNSIGNED)
  FROM information_schema.tables WHERE table_schema = '$1'" </dev/null
"""

# Prints the number of rows of each table, a line each.
_COUNT = """
sql --execute "SELECT CONCAT('SELECT COUNT(*) FROM \\`', REPLACE(table_schema, '\\`', '\\`\\`'), '\\`.\\`',
    REPLACE(table_name, '\\`', '\\`\\`'), '\\`;')
  FROM information_schema.tables WHERE table_type = 'BASE TABLE'
  AND table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')" </dev/null | sql
"""

MYSQL_DUMP, MYSQL_LOAD = _MYSQL + _DUMP, _MYSQL + _LOAD
MYSQL_SIZE, MYSQL_COUNT = _MYSQL + _SIZE, _MYSQL + _COUNT

# The same in PostgreSQL, of one database.
POSTGRES_COUNT = """
SELECT (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.%I', schemaname, tablename),
  false, true, '')))[1]::text
FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""

POSTGRES_SIZE = "SELECT coalesce(sum(pg_database_size(oid)), 0) FROM pg_database WHERE datname = :'db';\n"
"""The size in bytes of the database ``db``, a variable of psql; 0 when it is gone."""


def running(site: Site, service: str, what: str, reason: Reason) -> str:
    """The id of a running container of ``service``; ``StepFault`` (``reason``) when none runs."""
    for item in observe(site):
        if item.workload == service and item.health is not Health.EXITED:
            return item.instance
    raise StepFault(f"{what}: no container of {service} runs", hint="start it, then run again", reason=reason)

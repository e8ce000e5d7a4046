"""A PostgreSQL in its container: how it is asked, and told."""

import json

from ci_lib.config.provision import PostgresServer
from ci_lib.ports.protocols import Ran
from ci_lib.targets.compose.databases.postgres_changes import changes_of, literal, others, schema_changes
from ci_lib.targets.compose.databases.server import Ask, Change, Found, Passwords, failed

# Nothing of what follows may stand in the server's own log: a verifier is no password, and no public thing.
_QUIET = """\
SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic';
SET client_min_messages = 'warning'; SET lock_timeout = '15s'; SET statement_timeout = '60s';
"""

_LOOK = """\
SELECT json_build_object(
 'roles', (SELECT json_object_agg(rolname, json_build_object(
   'rolcanlogin', rolcanlogin, 'rolsuper', rolsuper, 'rolcreatedb', rolcreatedb,
   'rolcreaterole', rolcreaterole, 'rolreplication', rolreplication, 'rolbypassrls', rolbypassrls,
   'expired', coalesce(rolvaliduntil < now(), false),
   'verifier', CASE WHEN rolname IN ({users}) THEN coalesce(rolpassword, '') END,
   'member_of', (SELECT coalesce(json_agg(json_build_array(r.rolname, g.rolname)), '[]')
     FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid LEFT JOIN pg_roles g ON g.oid = m.grantor
     WHERE m.member = a.oid)))
  FROM pg_authid a WHERE rolname !~ '^pg_'),
 'databases', (SELECT json_object_agg(datname, json_build_object(
   'owner', o.rolname,
   'rights', (SELECT coalesce(json_agg(json_build_array(coalesce(g.rolname, ''), x.privilege_type)), '[]')
     FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) x LEFT JOIN pg_roles g ON g.oid = x.grantee)))
  FROM pg_database JOIN pg_roles o ON o.oid = datdba));
"""

# Since PostgreSQL 15 nobody may create in "public" but the database's owner; before, everybody might.
_SCHEMA = """\
SELECT json_build_object(
 'everybody', EXISTS (SELECT FROM aclexplode(coalesce(nspacl, acldefault('n', nspowner)))
   WHERE grantee = 0 AND privilege_type = 'CREATE'),
 'own', has_schema_privilege({user}, oid, 'USAGE') AND has_schema_privilege({user}, oid, 'CREATE'))
FROM pg_namespace WHERE nspname = 'public';
"""


class Postgres:
    """``Server`` of a PostgreSQL, by ``psql`` over the socket in its container."""

    def __init__(self, server: PostgresServer, ask: Ask, passwords: Passwords) -> None:
        self._server = server
        self._ask = ask
        self._passwords = passwords

    def look(self) -> Found:
        """How it stands now."""
        users = ", ".join(literal(account.user) for account in self._server.databases.values())
        state = json.loads(self._run(_LOOK.format(users=users), "postgres").stdout)
        changes = list(changes_of(self._server, state, self._passwords))
        for name, account in self._server.databases.items():
            if name in state["databases"] and account.user in state["roles"]:
                printed = self._run(_SCHEMA.format(user=literal(account.user)), name).stdout
                changes += schema_changes(name, account.user, json.loads(printed or "null"))
        return Found(changes=tuple(changes), others=tuple(others(self._server, state)))

    def change(self, change: Change) -> None:
        """Carry out one change."""
        self._run(change.sql, change.within or "postgres", change)

    def _run(self, sql: str, database: str, change: Change | None = None) -> Ran:
        tool = ("psql", "-X", "-w", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse")
        ran = self._ask((*tool, "-U", self._server.user, "-d", database), _QUIET + sql)
        if not ran.ok:
            admin = f"{self._server.user} must be a superuser whom the socket lets in without a password"
            raise failed(self._server.service, change, ran.said, hint=admin)
        return ran

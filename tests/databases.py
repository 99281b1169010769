"""Test databases: one template, migrated once as the owner; every database is a copy of it.

A trigger is never switched off and a table is never truncated: what a committing test leaves behind goes with its
database. Dropping a database also drops its statistics, so deadlocks are counted before each drop. A server that is
killed forgets them, too: those of one that a test may kill are counted in its log.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
_LOGGED_DEADLOCK = b"ERROR:  deadlock detected\n"


class Databases:
    """Makes and drops databases beside the configured one, as the owner."""

    def __init__(self) -> None:
        self.deadlocks = 0
        self._owner = {**connections["owner"].settings_dict}
        self._session: psycopg.Connection | None = None
        self._template = ""

    def _execute(self, statement: sql.Composable, *values: str) -> tuple[Any, ...] | None:
        """Run a statement in a session that is kept, since this is done after each test that commits."""
        try:
            return self._run(statement, values)
        except psycopg.OperationalError:
            if self._session is None or not self._session.closed:
                raise
            return self._run(statement, values)  # a test has restarted the server

    def _run(self, statement: sql.Composable, values: tuple[str, ...]) -> tuple[Any, ...] | None:
        if self._session is None or self._session.closed:
            self._session = psycopg.connect(self._conninfo(str(self._owner["NAME"])), autocommit=True)
        cursor = self._session.execute(statement, values)
        return cursor.fetchone() if cursor.description else None

    def leave(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.close()

    def _conninfo(self, name: str) -> str:
        given = {
            "dbname": name,
            "user": self._owner["USER"],
            "password": self._owner["PASSWORD"],
            "host": self._owner["HOST"],
            "port": self._owner["PORT"],
        }
        return psycopg.conninfo.make_conninfo("", **{key: value for key, value in given.items() if value})

    def exists(self, name: str) -> bool:
        """Say whether the database exists."""
        return self._execute(sql.SQL("SELECT 1 FROM pg_database WHERE datname = %s"), name) is not None

    def template(self) -> str:
        """Return the name of the migrated template, building it when the migrations have changed."""
        if self._template:
            return self._template
        name = f"test_template_{_fingerprint()}"
        with psycopg.connect(self._conninfo(str(self._owner["NAME"])), autocommit=True) as guard:
            guard.execute("SELECT pg_advisory_lock(hashtext('test template'))")
            if not self.exists(name):
                self._build(name)
        self._template = name
        return name

    def _build(self, name: str) -> None:
        building = f"{name}_building"
        self.drop(building)
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(building)))
        with psycopg.connect(self._conninfo(building), autocommit=True) as connection:
            role = connections["default"].settings_dict["USER"]
            if role:
                connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(sql.Identifier(role)))
        self.use(building)
        call_command("migrate", verbosity=0)
        self.close()
        self._execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(building), sql.Identifier(name))
        )

    def create(self, name: str) -> None:
        """Create a database as a copy of the template, replacing one of that name."""
        self.drop(name)
        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log").format(
                sql.Identifier(name), sql.Identifier(self.template())
            )
        )

    def drop(self, name: str) -> None:
        """Drop a database whoever is connected to it, after counting its deadlocks."""
        self.deadlocks += self.deadlocks_of(name)
        drop = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))
        by_force = drop + sql.SQL(" WITH (FORCE)")
        try:
            self._execute(by_force)
        except psycopg.errors.InsufficientPrivilege:
            # Autovacuum is at work in it, and no owner may end that by force; the plain command sends it away, and
            # gives up where somebody else is connected, too.
            with suppress(psycopg.errors.ObjectInUse):
                self._execute(drop)
            self._execute(by_force)

    def deadlocks_of(self, name: str) -> int:
        """Return how many deadlocks PostgreSQL has counted in this database."""
        row = self._execute(sql.SQL("SELECT deadlocks FROM pg_stat_database WHERE datname = %s"), name)
        return int(row[0]) if row and row[0] is not None else 0

    def count_logged(self, log: Path) -> None:
        """Count the deadlocks that a whole server has written down, with that which it had set aside of its log.

        Each is there before its victim is told, so a kill loses none. That holds for our own servers, which write
        down every error, in English.
        """
        for part in log.parent.glob(f"{log.name}*"):
            self.deadlocks += part.read_bytes().count(_LOGGED_DEADLOCK)

    def use(self, name: str) -> None:
        """Point Django's connections at this database."""
        self.close()
        for alias in ("default", "owner"):
            settings.DATABASES[alias]["NAME"] = name
            connections[alias].settings_dict["NAME"] = name

    @contextmanager
    def another(self, purpose: str) -> Iterator[None]:
        """Use one more copy of the template for a while, in which commits are real; then this process's own again."""
        name = f"{worker_name()}_{purpose}"
        self.create(name)
        self.use(name)
        try:
            yield
        finally:
            self.use(worker_name())
            self.drop(name)

    @staticmethod
    def close() -> None:
        """Close this thread's connections."""
        for connection in connections.all():
            connection.close()


def _fingerprint() -> str:
    """Hash everything that shapes the schema: migrations, SQL files and the catalogues they read."""
    digest = hashlib.sha256()
    # Folders of ours only: the servers' own files below .local come and go while they are looked at.
    patterns = ("migrations/**/*.py", "migrations/**/*.sql", "embedded/*.sql", "chart.py")
    for path in sorted(path for pattern in patterns for path in ROOT.glob(f"[a-z]*/{pattern}")):
        digest.update(path.read_bytes())
    digest.update(str(connections["default"].settings_dict["USER"]).encode())
    return digest.hexdigest()[:12]


def owner_session() -> "psycopg.Connection[tuple[Any, ...]]":
    """Open a session of the owner's in the database that is in use, beside those of Django."""
    owner = settings.DATABASES["owner"]
    return psycopg.connect(
        dbname=owner["NAME"], user=owner["USER"], host=owner["HOST"], port=owner["PORT"], autocommit=True
    )


def end_session(backend: int) -> None:
    """Let the server end a session, as a restart would."""
    with owner_session() as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])


def worker_name() -> str:
    """Return a database name of this test process's own."""
    return f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"

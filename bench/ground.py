"""Servers and databases of the benchmark: embedded, its own, made anew for each run."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from fintech_core import embedded
from fintech_core.embedded import Servers

ROOT = Path(__file__).resolve().parent.parent
SQL = Path(__file__).resolve().parent / "sql"
LOCAL_DIR = Path(os.environ.get("LOCAL_DIR", ROOT / ".local")) / "bench"
MIGRATE_LIMIT_S = 300
MEBIBYTE = 1024 * 1024
SETTINGS, HORDAK_SETTINGS = "bench.settings", "bench.hordak_settings"


@dataclass(frozen=True, slots=True)
class Ground:
    """One database on the benchmark's servers."""

    servers: Servers
    name: str
    people: int = 10_000

    @property
    def url(self) -> str:
        """The application's way in."""
        return _named(self.servers.database_url, self.name)

    @property
    def owner_url(self) -> str:
        """The owner's way in."""
        return _named(self.servers.owner_database_url, self.name)

    def environment(self, settings: str = SETTINGS) -> dict[str, str]:
        """Return the environment of a program that works here."""
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": settings,
            "ENVIRONMENT": "development",
            "DATABASE_URL": self.url,
            "DATABASE_OWNER_URL": self.owner_url,
            "REDIS_URL": self.servers.redis_url,
            "CELERY_BROKER_URL": self.servers.celery_broker_url,
            "LOCAL_DIR": str(LOCAL_DIR),
            "LOG_LEVEL": "ERROR",
            "RATE_LIMITS": "off",
            "ACCESS_TOKEN_EXPIRE_MINUTES": "600",
            "PYTHONWARNINGS": "ignore",
            "BENCH_PEOPLE": str(self.people),
        }

    def run(self, *arguments: str, settings: str = SETTINGS) -> None:
        """Run a Python program here to its end; raises CalledProcessError."""
        command = [sys.executable, *arguments]
        environment = self.environment(settings)
        subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=MIGRATE_LIMIT_S)

    def inside(self, function: str, settings: str = SETTINGS) -> Any:
        """Run a function ``module:function`` of this package inside Django, in a process of its own."""
        command = [sys.executable, "-m", "bench.inside", function]
        environment = self.environment(settings)
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return json.loads(ended.stdout.splitlines()[-1])

    def execute(self, script: str, parameters: dict[str, int] | None = None) -> None:
        """Run a file of ``sql/`` as the owner."""
        text = (SQL / script).read_text(encoding="utf-8")
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            connection.execute(text.encode(), parameters)

    def ask(self, query: str) -> int:
        """Return the one number that a query of ours answers, as the owner."""
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
        return int(row[0]) if row and row[0] is not None else 0

    def settle(self) -> None:
        """Vacuum and analyze, so that every run begins alike."""
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")


def servers() -> Servers:
    """Start PostgreSQL and Valkey for the benchmark, or join them.

    PostgreSQL gets a quarter of the memory, as its manual advises for a server of its own ("Resource Consumption"),
    and few checkpoints: after each the first change of a page writes the whole page to the log.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    tuning = {
        "shared_buffers": f"{memory // 4 // MEBIBYTE}MB",
        "max_wal_size": "8GB",
        "checkpoint_timeout": "15min",
    }
    return embedded.ensure(LOCAL_DIR, tuning=tuning)


def make(name: str, *, people: int = 10_000, settings: str = SETTINGS) -> Ground:
    """Make a database anew and migrate it."""
    ground = Ground(servers(), name, people)
    with psycopg.connect(ground.servers.owner_database_url, autocommit=True) as connection:
        identifier = sql.Identifier(name)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
    ground.run("-m", "django", "migrate", "--verbosity", "0", settings=settings)
    return ground


def fingerprint() -> str:
    """Hash what shapes the schema, so that a database that was kept is known to be of today's."""
    digest = hashlib.sha256()
    for path in sorted(
        [*ROOT.glob("*/migrations/**/*.py"), *ROOT.glob("*/migrations/**/*.sql"), *SQL.glob("*")]
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def exists(name: str) -> bool:
    """Say whether a database is there."""
    with psycopg.connect(servers().owner_database_url, autocommit=True) as connection:
        row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    return row is not None


def copy(ground: Ground, name: str) -> Ground:
    """Make a database anew as a copy of one that nobody is connected to."""
    with psycopg.connect(ground.servers.owner_database_url, autocommit=True) as connection:
        identifiers = {"name": sql.Identifier(name), "origin": sql.Identifier(ground.name)}
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {name} WITH (FORCE)").format(**identifiers))
        connection.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {origin}").format(**identifiers))
    return Ground(ground.servers, name, ground.people)


def rename(ground: Ground, name: str) -> Ground:
    """Give a database that nobody is connected to another name."""
    with psycopg.connect(ground.servers.owner_database_url, autocommit=True) as connection:
        old, new = sql.Identifier(ground.name), sql.Identifier(name)
        connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(old, new))
    return Ground(ground.servers, name, ground.people)


def _named(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))

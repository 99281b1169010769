"""What a stack stands on: a database and a Redis of its own, on shared servers or on servers of its own."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

from django.conf import settings
from redis import Redis

from fintech_core import embedded
from tests.databases import Databases

ROOT = Path(__file__).resolve().parent.parent
REDIS_DATABASES = range(1, 16)  # 0 is the configured one; 16 is what a server has unless told otherwise
MIGRATE_LIMIT_S = 120


@dataclass(frozen=True, slots=True)
class Ground:
    """The addresses of one database and one Redis."""

    database_url: str
    owner_url: str
    redis_url: str
    broker_url: str
    local_dir: Path

    @property
    def database(self) -> str:
        """The database's name."""
        return urlsplit(self.owner_url).path.lstrip("/")

    def environment(self) -> dict[str, str]:
        """The settings that lead a program here."""
        return {
            "DATABASE_URL": self.database_url,
            "DATABASE_OWNER_URL": self.owner_url,
            "REDIS_URL": self.redis_url,
            "CELERY_BROKER_URL": self.broker_url,
            "LOCAL_DIR": str(self.local_dir),
        }


@contextmanager
def shared(databases: Databases) -> Iterator[Ground]:
    """A copy of the template and a numbered Redis database, on the servers of this test run."""
    name = f"stack_{os.getpid()}_{uuid4().hex[:8]}"
    with _redis_number() as number:
        ground = Ground(
            database_url=_with_database(settings.DATABASE_URL, name),
            owner_url=_with_database(settings.DATABASE_OWNER_URL, name),
            redis_url=_with_redis_number(settings.REDIS_URL, number),
            broker_url=_with_redis_number(settings.CELERY_BROKER_URL, number),
            local_dir=settings.LOCAL_DIR,
        )
        if settings.EMBEDDED:
            with Redis.from_url(ground.redis_url) as client:
                client.flushdb()
        try:
            databases.create(name)
            yield ground
        finally:
            databases.drop(name)


@contextmanager
def own(databases: Databases, local_dir: Path) -> Iterator[Ground]:
    """PostgreSQL and Valkey of this stack's own, to be killed at will; ``embedded.ensure`` heals them.

    At the end their deadlocks are counted, however often they were killed.
    """
    servers = embedded.ensure(local_dir)
    ground = Ground(
        servers.database_url,
        servers.owner_database_url,
        servers.redis_url,
        servers.celery_broker_url,
        local_dir,
    )
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    environment = {**os.environ, **ground.environment()}
    try:
        subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=MIGRATE_LIMIT_S)
        yield ground
    finally:
        databases.count_logged(embedded.Layout.at(local_dir).postgres_log)


@contextmanager
def _redis_number() -> Iterator[int]:
    """Take a Redis database that no other stack of this machine and LOCAL_DIR has."""
    for number in REDIS_DATABASES:
        lock = os.open(
            settings.LOCAL_DIR / f"stack-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            yield number
        finally:
            os.close(lock)
        return
    raise AssertionError("every Redis database belongs to another stack")


def _with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _with_redis_number(url: str, number: int) -> str:
    """Name another database of the same server: by query over a Unix socket, by path over TCP."""
    socket_url = url.partition("?")[0]
    match urlsplit(url).scheme:
        case "unix":
            return f"{socket_url}?db={number}"
        case "redis+socket":
            return f"{socket_url}?virtual_host={number}"
    return urlunsplit(urlsplit(url)._replace(path=f"/{number}"))

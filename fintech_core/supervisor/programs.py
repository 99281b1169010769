"""The programs that a running system is made of, as command lines, for ``manage.py run`` and for tests.

Imports no Django: it says how to start a program, not what the program does.
"""

import http.client
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

DEFAULT_QUEUE: Final = "default"
PROBE_TIMEOUT_S: Final = 2.0
CELERY: Final = ("-m", "celery", "--app", "fintech_core.celery:app", "--quiet")


def web(port: int, *, workers: int, threads: int) -> list[str]:
    """Serve HTTP on loopback. A thread is held for as long as a request waits on its row (8 s at most)."""
    arguments = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)]
    arguments += ["--blocking-threads", str(threads), "--no-ws", "--log-level", "error"]
    return [sys.executable, "-m", "granian", *arguments, "fintech_core.wsgi:application"]


def worker(name: str, queues: list[str], *, pool: str, concurrency: int) -> list[str]:
    """Work through queues: ``prefork`` enforces time limits, ``threads`` wait for vendors at little cost."""
    arguments = ["--queues", ",".join(queues), "--pool", pool, "--concurrency", str(concurrency)]
    arguments += [
        "--hostname",
        worker_node(name),
        "--loglevel",
        "WARNING",
        "--without-gossip",
        "--without-mingle",
    ]
    return [sys.executable, *CELERY, "worker", *arguments]


def worker_node(name: str) -> str:
    """Return the name under which a worker answers Celery's ``ping``."""
    return f"{name}@localhost"


def beat() -> list[str]:
    """Ring for what is due, by the schedule in the database."""
    return [sys.executable, *CELERY, "beat", "--loglevel", "WARNING", "--pidfile", ""]


def sandbox(port: int, book: Path) -> list[str]:
    """Stand in for the vendors, with a book of its own."""
    return [sys.executable, "-m", "sandbox", "--port", str(port), "--book", str(book)]


def answers(url: str) -> bool:
    """Say whether a page on loopback answers 200; never raises."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

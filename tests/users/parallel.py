"""Work in threads that start together, and in processes that may be killed at a named point."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from django.db import connection, connections

_START = """
import sys, django
django.setup()
from django.db import connections
name, argument = sys.argv[1:]
for alias in ("default", "owner"):
    connections[alias].settings_dict["NAME"] = name
"""


def in_parallel(count: int, work: Callable[[int], str]) -> list[str]:
    """Run ``work`` in threads that start together, each with a connection of its own."""
    barrier = Barrier(count)

    def run(number: int) -> str:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def run_in_process(code: str, argument: str, *, crash_points: Path) -> subprocess.CompletedProcess[str]:
    """Run ``code`` with the variable ``argument`` in a new Python process and wait for its end."""
    name = str(connections["default"].settings_dict["NAME"])
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "fintech_core.settings"),
        "CRASH_POINTS_DIR": str(crash_points),
    }
    command = [sys.executable, "-c", _START + code, name, argument]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

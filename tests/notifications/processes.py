"""Real processes of this project on the test's database, to be killed at a named point."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection

ROOT = Path.cwd()


def run_in_process(
    statement: str, *, crash_points: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run one statement of ``notifications.services`` in a process of its own and wait for its end."""
    address = urlsplit(settings.DATABASE_URL)
    database = urlunsplit(address._replace(path="/" + str(connection.settings_dict["NAME"])))
    return subprocess.run(
        [
            sys.executable,
            "-c",
            f"import django; django.setup()\nfrom notifications import services\n{statement}",
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": database,
            "DATABASE_OWNER_URL": database,
            "REDIS_URL": settings.REDIS_URL,
            "CELERY_BROKER_URL": settings.CELERY_BROKER_URL,
            "CRASH_POINTS_DIR": str(crash_points),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

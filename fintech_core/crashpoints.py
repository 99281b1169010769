"""Named points where a test may kill or pause the process.

A test arms a point by creating a file in ``CRASH_POINTS_DIR``: ``NAME.kill`` makes the first process that comes by
remove the file and end itself with SIGKILL; ``NAME.pause`` makes it wait until the file is gone. What is queued for
the database is sent and executed before, so that the server has done what the code has. Without the setting the
points do nothing, and settings refuse it in production.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from django.conf import settings

from fintech_core.database.base import default_database

_PAUSE_LIMIT_S = 30.0


def reach(name: str) -> None:
    """Pass the named point: nothing happens unless a test armed it."""
    folder = settings.CRASH_POINTS_DIR
    if not folder:
        return
    with contextlib.suppress(FileNotFoundError):
        (Path(folder) / f"{name}.kill").unlink()
        default_database().sync_pipeline()
        os.kill(os.getpid(), signal.SIGKILL)
    pause = Path(folder) / f"{name}.pause"
    if pause.exists():
        default_database().sync_pipeline()
        (Path(folder) / f"{name}.reached").touch()
        deadline = time.monotonic() + _PAUSE_LIMIT_S
        while pause.exists() and time.monotonic() < deadline:
            time.sleep(0.01)

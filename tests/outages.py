"""PostgreSQL or Valkey of a stack's own down for as long as a test needs."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from redis import Redis

from fintech_core import embedded
from fintech_core.embedded.layout import Layout
from tests.fintech_core.server_user import kill, processes
from tests.grounds import Ground

Server = Literal["postgres", "valkey"]


@contextmanager
def down(ground: Ground, server: Server) -> Iterator[None]:
    """Kill one of the ground's own servers and keep it down; at the end wait until both answer again.

    The keeper, which would start it again at once, is frozen meanwhile. The ground must be ``grounds.own``.
    """
    keeper = next(pid for pid, text in processes(ground.local_dir).items() if ".keeper import" in text)
    pid = _pid(ground, server)
    os.kill(keeper, signal.SIGSTOP)
    try:
        kill(pid)
        yield
    finally:
        os.kill(keeper, signal.SIGCONT)
        embedded.ensure(ground.local_dir)


def _pid(ground: Ground, server: Server) -> int:
    if server == "postgres":
        return int((Layout.at(ground.local_dir).postgres_data / "postmaster.pid").read_text().split()[0])
    with Redis.from_url(ground.redis_url) as client:
        return int(client.info("server")["process_id"])

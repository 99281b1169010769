"""The keeper: a small process that runs both servers while anybody uses them, and not a moment longer.

It lives in a session of its own, so a terminal's Ctrl-C does not reach it. Every user of the servers holds a
shared lock on ``users.lock``, which the kernel frees however that process ends; when the keeper gets the lock
for itself, nobody is left and it stops both servers. If the keeper itself is killed, the kernel signals the
servers.
"""

import fcntl
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from .layout import EmbeddedError, Layout
from .postgres import Postgres
from .server import Server
from .valkey import Valkey

READY = b"ready"
WATCH_PERIOD_S = 0.1
RESTARTS_PER_MINUTE = 10


def main() -> None:
    """Detach and keep the servers of ``argv[1]``.

    ``argv[2]`` is the descriptor of ``keeper.lock``, ``argv[3]`` PostgreSQL's further settings as JSON.
    """
    layout, lock = Layout.at(Path(sys.argv[1])), int(sys.argv[2])
    if os.fork():
        os._exit(0)  # the starter reaps this one and never has the keeper as its child
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    Keeper(layout, lock, json.loads(sys.argv[3])).run()


class Keeper:
    def __init__(self, layout: Layout, lock: int, tuning: Mapping[str, str]) -> None:
        self._layout = layout
        self._lock = lock
        self._socket_dir = layout.socket_dir  # its name cannot be told any more once LOCAL_DIR is removed
        self._servers: list[Server] = [Postgres(layout, tuning), Valkey(layout)]
        self._restarts: deque[float] = deque(maxlen=RESTARTS_PER_MINUTE)

    def run(self) -> None:
        """Start the servers, watch them until nobody uses them, stop them."""
        users = self._layout.open_file(self._layout.users_lock)
        self._layout.make_socket_dir()
        try:
            for server in self._servers:
                server.start()
            self._announce(READY)
            while not _is_alone(users) and self._is_wanted():
                self._restart_the_dead()
                time.sleep(WATCH_PERIOD_S)
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            self._announce(b"")
            self._stop()

    def _announce(self, state: bytes) -> None:
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, state, 0)

    def _is_wanted(self) -> bool:
        """Whether LOCAL_DIR is still there: somebody may have removed it with the servers running."""
        return os.fstat(self._lock).st_nlink > 0

    def _restart_the_dead(self) -> None:
        for server in self._servers:
            if server.is_alive():
                continue
            self._announce(b"")
            now = time.monotonic()
            if len(self._restarts) == RESTARTS_PER_MINUTE and now - self._restarts[0] < 60:
                raise EmbeddedError(
                    f"{server.program} died {RESTARTS_PER_MINUTE} times in a minute; see {server.log}"
                )
            self._restarts.append(now)
            sys.stderr.write(f"{server.program} died, starting it again\n")
            server.start()
            self._announce(READY)

    def _stop(self) -> None:
        for server in self._servers:
            server.ask_to_stop()
        for server in self._servers:
            server.stop()
        if not any(self._socket_dir.iterdir()):
            self._socket_dir.rmdir()


def _is_alone(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

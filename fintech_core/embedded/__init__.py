"""PostgreSQL 18 and Valkey out of wheels, for development and tests: ``ensure()`` and they are there.

    servers = ensure(Path(".local"))
    psycopg.connect(servers.database_url)

The first process to call :func:`ensure` starts a keeper (``keeper.py``), which runs both servers; the others
join. They end when the last process that called it has ended, in whatever way, and their data stay in
LOCAL_DIR. A killed keeper or server heals at the next call. Runs as root and as an ordinary user, imports
neither Django nor a client.

A forked child shares its parent's hold on the servers; a program started anew calls :func:`ensure` itself.
"""

import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from .keeper import READY
from .layout import EmbeddedError, Layout, Servers
from .valkey import answers_ping

__all__ = ["EmbeddedError", "Layout", "Servers", "ensure", "keep_through_exec"]

START_TIMEOUT_S = 60.0
START_ATTEMPTS = 3
POLL_S = 0.02
LOG_TAIL_BYTES = 1_000

_guard = threading.Lock()
_held: dict[Path, int] = {}  # LOCAL_DIR -> descriptor of its users.lock, kept open while this process lives


def _after_fork() -> None:
    global _guard  # another thread of the parent may have held it; that thread does not exist here
    _guard = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def ensure(local_dir: Path, *, tuning: Mapping[str, str] | None = None) -> Servers:
    """Start or join the servers of ``local_dir`` and return once both answer.

    ``tuning`` are settings of PostgreSQL beside those of ``postgres.py``, which are made for a developer's machine.
    Whoever starts the servers decides; who joins them takes them as they are.

    The servers stay for as long as this process lives. May be called from any thread, any number of times; a
    later call heals what died since. Takes about 1.5 s the first time, 0.5 s later, nothing when they run
    already.

    Raises :class:`EmbeddedError` if a program is missing, the folder is another user's, or a server does not
    start.
    """
    layout = Layout.at(local_dir)
    with _guard:
        try:
            layout.make_local_dir()
            if layout.local_dir not in _held:
                _held[layout.local_dir] = _hold(layout)
            _wait_until_ready(layout, tuning or {})
        except OSError as error:
            raise EmbeddedError(f"{layout.local_dir} cannot be used: {error}") from error
    return layout.servers()


def keep_through_exec(local_dir: Path) -> None:
    """Let the hold of this process on the servers survive an ``exec`` of another program."""
    os.set_inheritable(_held[Layout.at(local_dir).local_dir], True)


def _hold(layout: Layout) -> int:
    """Take the shared lock. A keeper that is stopping the servers has it exclusively until it is done."""
    lock = layout.open_file(layout.users_lock)
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(POLL_S)
        else:
            return lock
    os.close(lock)
    raise EmbeddedError(f"the servers in {layout.local_dir} are being stopped and do not end")


def _wait_until_ready(layout: Layout, tuning: Mapping[str, str]) -> None:
    """Wait for the keeper's word and for an answer from both servers; start a keeper where there is none."""
    deadline = time.monotonic() + START_TIMEOUT_S
    attempts = 0
    while time.monotonic() < deadline:
        lock = layout.open_file(layout.keeper_lock)
        try:
            if _acquire(lock):
                if attempts == START_ATTEMPTS:
                    break
                attempts += 1
                os.ftruncate(lock, 0)
                _start_keeper(layout, lock, tuning)
            elif os.pread(lock, len(READY), 0) == READY and _is_answering(layout):
                return
        finally:
            os.close(lock)
        time.sleep(POLL_S)
    raise EmbeddedError(f"the servers in {layout.local_dir} did not start:\n{_tails(layout)}")


def _acquire(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_answering(layout: Layout) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(layout.postgres_socket))
        except OSError:
            return False
    return answers_ping(layout.valkey_socket)


def _start_keeper(layout: Layout, lock: int, tuning: Mapping[str, str]) -> None:
    """Start a keeper that inherits the lock just taken, so there is never a second one and never a gap."""
    package = Path(__file__).parent
    # By the package's own name: importing it as part of fintech_core would load Celery first. At the end of
    # the path, because modules beside this package are named like some of the standard library.
    path = f"import sys; sys.path.append({str(package.parent)!r})"
    code = f"{path}; from {package.name}.keeper import main; main()"
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # Whatever this interpreter itself needed in order to start.
    environment |= {
        name: os.environ[name] for name in ("PYTHONHOME", "LD_LIBRARY_PATH") if name in os.environ
    }
    log = layout.open_log(layout.keeper_log)
    arguments = [str(layout.local_dir), str(lock), json.dumps(dict(tuning))]
    try:
        starter = subprocess.Popen(
            [sys.executable, "-S", "-P", "-c", code, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environment,
            pass_fds=[lock],
            start_new_session=True,
        )
    finally:
        os.close(log)
    starter.wait()


def _tails(layout: Layout) -> str:
    logs = (layout.keeper_log, layout.postgres_log, layout.valkey_log)
    ends = {log: log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace") for log in logs if log.exists()}
    return "\n".join(f"{log}:\n{end}" for log, end in ends.items())

"""PostgreSQL 18 out of its wheel: a cluster in LOCAL_DIR, a Unix socket, two roles."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from .layout import POSTGRES_PORT, SUPERUSER, EmbeddedError, Layout, postgres_bin
from .processes import is_in_use
from .server import Server

ROLES_SQL = Path(__file__).with_name("roles.sql")
INITDB_TIMEOUT_S = 60.0
ROLES_TIMEOUT_S = 30.0

# Given on the command line, so that an older data folder has them too. Nothing that a commit promises is
# weakened.
SETTINGS = {
    "listen_addresses": "",
    "port": str(POSTGRES_PORT),
    "max_connections": "300",
    "shared_buffers": "256MB",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
PID_FILE = "postmaster.pid"
READY_LINE = 7  # zero-based; src/include/utils/pidfile.h, LOCK_FILE_LINE_PM_STATUS


class Postgres(Server):
    program: ClassVar[str] = "postgres"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": ends sessions, writes a checkpoint

    def __init__(self, layout: Layout, tuning: Mapping[str, str]) -> None:
        super().__init__(layout)
        self._settings = {**SETTINGS, **tuning}

    @property
    def folder(self) -> Path:
        return self.layout.postgres_data

    @property
    def log(self) -> Path:
        return self.layout.postgres_log

    def prepare(self) -> None:
        """Make the cluster beside its place and move it there, so a half-made one is never used."""
        if self.folder.exists():
            self._forget_reused_pids()
            return
        unfinished = self.folder.with_suffix(".new")
        if unfinished.exists():
            shutil.rmtree(unfinished)
        arguments = [
            "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
            "--data-checksums", "--auth=trust", f"--username={SUPERUSER}", "-D", str(unfinished),
        ]  # fmt: skip
        process = self.spawn([str(postgres_bin() / "initdb"), *arguments])
        if process.wait(INITDB_TIMEOUT_S) != 0:
            raise EmbeddedError(f"initdb failed; see {self.log}")
        unfinished.rename(self.folder)

    def _forget_reused_pids(self) -> None:
        """Remove lock files that name a live process, or none. It is not ours: those have been ended before.

        PostgreSQL would take even a zombie for a running server, and refuse to start.
        """
        socket_lock = self.layout.postgres_socket.with_name(f"{self.layout.postgres_socket.name}.lock")
        for path in (self.folder / PID_FILE, socket_lock):
            if not path.exists():
                continue
            pid = path.read_text().partition("\n")[0]
            if not pid.isdigit() or is_in_use(int(pid)):
                sys.stderr.write(f"removing stale {path}\n")
                path.unlink()

    def command(self) -> list[str]:
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        program = str(postgres_bin() / self.program)
        return [program, "-D", str(self.folder), "-k", str(self.layout.socket_dir), *options]

    def is_ready(self, pid: int) -> bool:
        try:
            lines = (self.folder / PID_FILE).read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > READY_LINE and lines[0] == str(pid) and lines[READY_LINE].strip() == "ready"

    def start(self) -> None:
        """Start the server, then make the roles and the database or put back what is missing of them."""
        super().start()
        command = [
            str(postgres_bin() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(ROLES_SQL),
            "-d", self.layout.database_url(SUPERUSER, "postgres"),
        ]  # fmt: skip
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ROLES_TIMEOUT_S,
            check=False,
        )
        sys.stderr.write(result.stderr)
        if result.returncode != 0:
            raise EmbeddedError(f"making the roles failed; see {self.layout.keeper_log}")

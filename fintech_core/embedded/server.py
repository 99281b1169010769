"""One server under the keeper: start it, know when it answers, end it."""

import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from .layout import EmbeddedError, Layout
from .processes import end_with_parent, launcher, pids_of

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
KILL_TIMEOUT_S = 5.0
POLL_S = 0.01
RESTART_PAUSE_S = 0.2


class Server(ABC):
    """A server program run as a foreground child of the keeper, with a data folder of its own."""

    program: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def folder(self) -> Path: ...

    @property
    @abstractmethod
    def log(self) -> Path: ...

    @abstractmethod
    def prepare(self) -> None:
        """Make the data folder. May be killed at any point and called again."""

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def is_ready(self, pid: int) -> bool:
        """Whether this very process, not an orphan of an earlier one, answers."""

    def start(self) -> None:
        """Start the server and wait until it answers.

        A start that fails is tried again until the time is up: children of a killed PostgreSQL may keep its
        shared memory for a moment. Raises :class:`EmbeddedError`.
        """
        self.end_orphans()
        self.prepare()
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            self._process = self.spawn(self.command())
            if self._answers_before(deadline):
                return
            self.stop()
            time.sleep(RESTART_PAUSE_S)
        raise EmbeddedError(f"{self.program} did not start within {START_TIMEOUT_S:.0f} s; see {self.log}")

    def _answers_before(self, deadline: float) -> bool:
        while self._process is not None and self._process.poll() is None and time.monotonic() < deadline:
            if self.is_ready(self._process.pid):
                return True
            time.sleep(POLL_S)
        return False

    def spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        """Start a program of this server as a child that ends when the keeper ends, however that happens."""
        prefix = launcher(self.layout, self.stop_signal)
        log = self.layout.open_log(self.log)
        try:
            return subprocess.Popen(
                [*prefix, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # setpriv asks for its own death signal.
                preexec_fn=None if prefix else end_with_parent(self.stop_signal),
            )
        finally:
            os.close(log)

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self.stop_signal)

    def stop(self) -> None:
        """End the server: politely, then by force. What was committed is safe either way."""
        self.ask_to_stop()
        if self._process is None:
            return
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(KILL_TIMEOUT_S)
        self._process = None

    def end_orphans(self) -> None:
        """End what a killed keeper may have left in the data folder. Raises :class:`EmbeddedError`."""
        steps = ((self.stop_signal, STOP_TIMEOUT_S), (signal.SIGKILL, KILL_TIMEOUT_S))
        for number, patience_s in steps:
            orphans = pids_of(self.program, self.folder)
            for pid in orphans:
                sys.stderr.write(f"ending orphan {self.program} {pid} with {number.name}\n")
                _signal(pid, number)
            deadline = time.monotonic() + patience_s
            while orphans and time.monotonic() < deadline:
                time.sleep(POLL_S)
                orphans = pids_of(self.program, self.folder)
            if not orphans:
                return
        raise EmbeddedError(f"an old {self.program} in {self.folder} does not end; see {self.log}")


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        sys.stderr.write(f"{pid} has ended by itself\n")

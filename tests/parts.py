"""One program of a running system, under the guard that leaves nothing behind; can be ended in every way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fintech_core.supervisor import guard

START_PATIENCE_S = 60.0
STOP_AFTER_S = 15.0
STOP_PATIENCE_S = STOP_AFTER_S + 10.0
LOG_TAIL_CHARACTERS = 4_000


class Part:
    """A program that a test starts, stops, kills, freezes and restarts; its output goes to ``log``."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        is_ready: Callable[[], bool],
    ) -> None:
        self.name = name
        self.log_path = log
        self._argv = argv
        self._env = env
        self._is_ready = is_ready
        self._guard: subprocess.Popen[bytes] | None = None
        self._control = -1

    @property
    def is_alive(self) -> bool:
        """Whether the program runs."""
        return self._guard is not None and self._guard.poll() is None

    @property
    def is_wanted(self) -> bool:
        """Whether it was started and not stopped by the test: dead and wanted means crashed."""
        return self._guard is not None

    @property
    def pids(self) -> list[int]:
        """The processes of this program, the guard left out."""
        return guard.descendants(self._guard.pid) if self._guard is not None and self.is_alive else []

    def log(self) -> str:
        """What the program has written so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def start(self, *, wait: bool = True) -> None:
        """Start the program and wait until it is ready."""
        assert not self.is_alive, f"{self.name} runs already"
        self._close_control()
        read_end, self._control = os.pipe()
        command = [sys.executable, "-I", "-S", guard.__file__, str(read_end), str(STOP_AFTER_S), *self._argv]
        with self.log_path.open("ab") as log:
            self._guard = subprocess.Popen(
                command,
                env=dict(self._env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[read_end],
                start_new_session=True,
            )
        os.close(read_end)
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until the program answers; fails with the end of its log when it does not."""
        deadline = time.monotonic() + START_PATIENCE_S
        while not self._is_ready():
            tail = self.log()[-LOG_TAIL_CHARACTERS:]
            assert self.is_alive, f"{self.name} ended before it was ready:\n{tail}"
            assert time.monotonic() < deadline, f"{self.name} does not get ready:\n{tail}"
            time.sleep(0.05)

    def ask_to_stop(self) -> None:
        """Send SIGTERM without waiting."""
        if self._guard is not None and self.is_alive:
            self._guard.terminate()

    def stop(self) -> None:
        """End the program in order (SIGTERM)."""
        self.ask_to_stop()
        if self._guard is not None:
            self._guard.wait(STOP_PATIENCE_S)
        self._forget()

    def kill(self) -> None:
        """SIGKILL to every process of the program at once, as when its machine loses power."""
        for pid in self.pids:
            guard.kill(pid)
        self._close_control()
        if self._guard is not None:
            self._guard.wait(STOP_PATIENCE_S)
        self._forget()

    def restart(self) -> None:
        """Kill the program if it lives, and start it again."""
        self.kill()
        self.start()

    def wait_until_dead(self) -> None:
        """Wait until the program has ended by itself, as it does at an armed crash point."""
        assert self._guard is not None, f"{self.name} was not started"
        self._guard.wait(START_PATIENCE_S)

    def freeze(self) -> None:
        """Stop the program in the middle of whatever it does (SIGSTOP)."""
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen program go on (SIGCONT)."""
        for pid in self.pids:
            os.kill(pid, signal.SIGCONT)

    def _forget(self) -> None:
        self._close_control()
        self._guard = None

    def _close_control(self) -> None:
        if self._control >= 0:
            os.close(self._control)
            self._control = -1

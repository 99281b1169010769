"""Runs several programs as one: web, worker, beat and sandbox under a single command.

    Supervisor([Process("web", ["granian", …]), Process("worker", ["celery", …])], log_dir=Path("logs")).run()

One Ctrl-C or SIGTERM ends everything; so does ``kill -9`` of the supervisor or of any part: each program runs
under a guard (``guard.py``) that ends whatever the program leaves behind. A program that dies is started
again, with a growing pause; one that keeps dying ends them all.

What the programs need (see ``fintech_core.embedded``) should be started before: a server that one of them
starts is below its guard and ends with it. Does not import Django.
"""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TextIO

from .guard import KILL_TIMEOUT_S, adopt_orphans, children_by_parent, descendants, kill
from .output import Output

__all__ = ["Process", "Supervisor"]

OWN_NAME = "run"
WATCH_PERIOD_S = 0.05
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 8.0
SAME_SIGNAL_S = 0.5


@dataclass(frozen=True, slots=True)
class Process:
    """A program to run: ``argv`` without a shell, ``env`` on top of this process's environment.

    ``ready`` is asked repeatedly until it is true before the next process starts; it must not raise.
    ``stop_after_s`` is how long the program may take to end after SIGTERM before it and everything below it
    is killed.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] | None = None
    stop_after_s: float = 10.0


class SupervisorError(Exception):
    """A process could not be brought up or kept up."""


class Supervisor:
    """Runs ``processes`` in their order until it is told to stop, or one cannot be kept up.

    ``on_ready`` is called once when all are up. ``log_dir`` receives ``<name>.log`` of each.
    """

    def __init__(
        self,
        processes: Sequence[Process],
        log_dir: Path,
        *,
        on_ready: Callable[[], None] | None = None,
        ready_timeout_s: float = 60.0,
        restarts_per_minute: int = 5,
        stream: TextIO | None = None,
    ) -> None:
        names = [process.name for process in processes]
        if len(set(names)) != len(names) or OWN_NAME in names:
            raise ValueError(f"process names must be unique and not {OWN_NAME!r}: {names}")
        self._output = Output([OWN_NAME, *names], log_dir, stream)
        self._children = [_Child(process, self._output, restarts_per_minute) for process in processes]
        self._on_ready = on_ready
        self._ready_timeout_s = ready_timeout_s
        self._signals = 0
        self._signalled_at = -math.inf
        self._not_ours: set[int] = set()

    def run(self) -> int:
        """Run everything; return 0 if it was told to stop, 1 if a process could not be kept up.

        Must be called from the main thread, since it handles SIGINT, SIGTERM and SIGHUP.
        """
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        earlier = {number: signal.signal(number, self._on_signal) for number in numbers}
        self._not_ours = set(children_by_parent().get(os.getpid(), []))
        adopt_orphans()
        try:
            self._start_all()
            self._watch()
        except SupervisorError as error:
            self._say(f"{error}; stopping everything")
            return 1
        finally:
            self._stop_all()
            for number, handler in earlier.items():
                signal.signal(number, handler)
        return 0

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Count requests to stop; what comes within a moment is one, since wrappers pass Ctrl-C on again."""
        now = time.monotonic()
        if now - self._signalled_at > SAME_SIGNAL_S:
            self._signals += 1
            self._signalled_at = now

    def _say(self, text: str) -> None:
        self._output.say(OWN_NAME, text)

    def _start_all(self) -> None:
        for child in self._children:
            if self._signals:
                return
            child.start()
            self._wait_until_ready(child)
        if self._on_ready and not self._signals:
            self._on_ready()

    def _wait_until_ready(self, child: "_Child") -> None:
        process, deadline = child.process, time.monotonic() + self._ready_timeout_s
        while process.ready and not self._signals and not process.ready():
            if not child.is_alive():
                raise SupervisorError(f"{process.name} ended ({child.exit_text()}) before it was ready")
            if time.monotonic() > deadline:
                raise SupervisorError(f"{process.name} was not ready after {self._ready_timeout_s:.0f} s")
            time.sleep(WATCH_PERIOD_S)

    def _watch(self) -> None:
        while not self._signals:
            for child in self._children:
                if not child.is_alive():
                    self._end_strays()
                    child.restart_when_due()
            time.sleep(WATCH_PERIOD_S)

    def _stop_all(self) -> None:
        """Ask all to stop and wait; another signal, or too long a wait, kills."""
        asked = self._signals
        if asked:
            self._say("stopping; Ctrl-C again kills")
        for child in self._children:
            child.ask_to_stop()
        patience_s = max((child.process.stop_after_s for child in self._children), default=0.0)
        deadline = time.monotonic() + patience_s + KILL_TIMEOUT_S
        while any(child.is_alive() for child in self._children):
            if self._signals > asked or time.monotonic() > deadline:
                break
            time.sleep(WATCH_PERIOD_S)
        for child in self._children:
            child.end()
        self._end_strays()

    def _end_strays(self) -> None:
        """Kill what a guard that was itself killed has left: orphans that came to this process."""
        guards = {child.pid for child in self._children if child.is_alive()}
        for pid in children_by_parent().get(os.getpid(), []):
            if pid not in guards | self._not_ours:
                for stray in [pid, *descendants(pid)]:
                    kill(stray)
                _reap(pid)


def _reap(pid: int) -> None:
    deadline = time.monotonic() + KILL_TIMEOUT_S
    while os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() < deadline:
        time.sleep(WATCH_PERIOD_S)


class _Child:
    """One process and what is known of it: its guard, its deaths, when it is due again."""

    def __init__(self, process: Process, output: Output, restarts_per_minute: int) -> None:
        self.process = process
        self._output = output
        self._restarts_per_minute = restarts_per_minute
        self._deaths: deque[float] = deque()
        self._due_at: float | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._control = -1

    @property
    def pid(self) -> int | None:
        return self._guard.pid if self._guard else None

    def start(self) -> None:
        """Start the guard and, through it, the program."""
        read_end, self._control = os.pipe()
        program = Path(__file__).with_name("guard.py")
        arguments = [str(read_end), str(self.process.stop_after_s), *self.process.argv]
        try:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(program), *arguments],
                env={"PYTHONUNBUFFERED": "1", **os.environ, **self.process.env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[read_end],
                start_new_session=True,
            )
        finally:
            os.close(read_end)
        if self._guard.stdout is not None:
            self._reader = self._output.follow(self.process.name, self._guard.stdout)

    def is_alive(self) -> bool:
        return self._guard is not None and self._guard.poll() is None

    def exit_text(self) -> str:
        code = self._guard.returncode if self._guard else None
        if code is None:
            return "not started"
        number = -code if code < 0 else code - 128
        return signal.Signals(number).name if number in set(signal.Signals) else f"exit {code}"

    def restart_when_due(self) -> None:
        """Note a death, then start again after a pause that doubles. Raises :class:`SupervisorError`."""
        now = time.monotonic()
        if self._due_at is None:
            self._close_control()
            self._deaths.append(now)
            while now - self._deaths[0] > 60:
                self._deaths.popleft()
            if len(self._deaths) > self._restarts_per_minute:
                raise SupervisorError(f"{self.process.name} ended {len(self._deaths)} times in a minute")
            pause_s = min(FIRST_PAUSE_S * 2 ** (len(self._deaths) - 1), LONGEST_PAUSE_S)
            self._due_at = now + pause_s
            text = f"{self.process.name} ended ({self.exit_text()}), again in {pause_s:g} s"
            self._output.say(OWN_NAME, text)
        elif now >= self._due_at:
            self._due_at = None
            self.start()

    def ask_to_stop(self) -> None:
        if self._guard is not None and self.is_alive():
            self._guard.terminate()

    def end(self) -> None:
        """End what has not ended by itself: the guard kills everything below it when the pipe closes."""
        self._close_control()
        if self._guard is None:
            return
        try:
            self._guard.wait(KILL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()
        if self._reader is not None:
            self._reader.join(KILL_TIMEOUT_S)

    def _close_control(self) -> None:
        if self._control >= 0:
            os.close(self._control)
            self._control = -1

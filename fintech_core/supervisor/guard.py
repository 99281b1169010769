"""The guard: one small process between the supervisor and each program, so that nothing of it is left over.

    python -I -S guard.py CONTROL_FD STOP_AFTER_S PROGRAM [ARGUMENT ...]

A program's grandchildren outlive it by nature: a killed granian leaves its workers, a killed Celery its pool.
The guard is their *subreaper* (prctl(2)): every orphan below it becomes its child, in whatever session, and
when the program ends it kills them all and ends with the program's status. It holds the reading end of a pipe
whose other end only the supervisor has; end of file means that the supervisor is gone, however it went. On
SIGTERM it asks the program to end and waits STOP_AFTER_S before it kills.

Run by path, with the standard library alone: it starts in some 20 ms and is not hurt by what the program
imports.
"""

import ctypes
import os
import select
import signal
import sys
import time
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
KILL_TIMEOUT_S = 10.0
POLL_S = 0.01
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
NOT_STARTED = 127  # the shell's "command not found"


def adopt_orphans() -> None:
    """Make this process the parent of every orphan below it (Linux; elsewhere they go to init)."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform.startswith("linux") and ctypes.CDLL(None).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(f"prctl({option}) failed")


def children_by_parent() -> dict[int, list[int]]:
    """Return the pids of all live processes of this machine, grouped by their parent's pid."""
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # "pid (name) state ppid …"; the name may hold blanks and parentheses.
            state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
        except OSError:  # it has ended meanwhile
            continue
        if state != "Z":
            found.setdefault(int(parent), []).append(int(entry.name))
    return found


def descendants(pid: int) -> list[int]:
    """Return the live processes below ``pid``, nearest first."""
    tree, found = children_by_parent(), [pid]
    for parent in found:
        found += tree.get(parent, [])
    return found[1:]


def kill(pid: int) -> None:
    """Send SIGKILL to a process, or to a group by its negative, that may have ended meanwhile."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError as error:  # a set-uid program below an ordinary user
        sys.stderr.write(f"cannot kill {pid}: {error}\n")


class Guard:
    def __init__(self, control: int, stop_after_s: float, command: list[str]) -> None:
        self._control = control
        self._stop_after_s = stop_after_s
        self._command = command
        self._is_asked_to_stop = False
        self._status: int | None = None
        self._program = 0

    def run(self) -> int:
        """Run the program to its end and return its exit status, 128 + n if signal n ended it."""
        os.set_inheritable(self._control, False)
        adopt_orphans()
        wake = self._listen_to_signals()
        self._program = self._start()
        kill_at: float | None = None
        while self._status is None:
            timeout = None if kill_at is None else max(0.0, kill_at - time.monotonic())
            readable, _, _ = select.select([self._control, wake], [], [], timeout)
            if wake in readable:
                os.read(wake, 4096)
            self._reap()
            if self._control in readable or (kill_at is not None and time.monotonic() >= kill_at):
                break
            if self._is_asked_to_stop and kill_at is None:
                kill_at = time.monotonic() + self._stop_after_s
                if self._status is None:
                    os.kill(self._program, signal.SIGTERM)
        self._kill_everything()
        code = NOT_STARTED if self._status is None else os.waitstatus_to_exitcode(self._status)
        return code if code >= 0 else 128 - code

    def _listen_to_signals(self) -> int:
        """Return a descriptor that becomes readable with every signal."""
        wake, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end)
        for number in HANDLED:
            signal.signal(number, self._on_signal)
        return wake

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._is_asked_to_stop = True

    def _start(self) -> int:
        guard = os.getpid()
        # Blocked across the fork: a signal between it and exec would be taken by this program's handler, and
        # lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
            return pid
        try:
            os.setsid()
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            # Python ignores the last two, and exec would pass that on.
            for number in (*HANDLED, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
            if os.getppid() == guard:
                os.execvp(self._command[0], self._command)  # noqa: S606  becoming the program is the point
        except OSError as error:
            sys.stderr.write(f"cannot start {self._command[0]}: {error}\n")
            sys.stderr.flush()
        os._exit(NOT_STARTED)

    def _reap(self) -> bool:
        """Collect whoever has ended. Returns whether any child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._program:
                self._status = status

    def _kill_everything(self) -> None:
        """Kill until nobody is left. No child means no descendant, since orphans become children."""
        deadline = time.monotonic() + KILL_TIMEOUT_S
        while self._reap():
            if self._status is None:
                kill(self._program)
            if not sys.platform.startswith("linux"):
                kill(-self._program)  # the program's own group is all that can be known here
            for pid in descendants(os.getpid()):
                kill(pid)
            if time.monotonic() > deadline:
                sys.stderr.write(f"{descendants(os.getpid())} do not end\n")
                return
            time.sleep(POLL_S)


if __name__ == "__main__":
    sys.exit(Guard(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]).run())

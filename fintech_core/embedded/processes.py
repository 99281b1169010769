"""What the keeper needs from the operating system: who runs in a folder, and children that end with it."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .layout import EmbeddedError, Layout

PR_SET_PDEATHSIG = 1


def pids_of(program: str, folder: Path) -> list[int]:
    """Return the live processes named ``program`` that work in ``folder``.

    Asks the kernel instead of a pid file, so a reused pid cannot mislead it. A zombie has neither a command
    line nor a working directory and is never returned.
    """
    if not Path("/proc/self/cmdline").exists():
        return _pids_from_ps(program, folder)
    return [int(entry.name) for entry in Path("/proc").iterdir() if _works_in(entry, program, folder)]


def _works_in(entry: Path, program: str, folder: Path) -> bool:
    if not entry.name.isdigit():
        return False
    try:
        if (entry / "comm").read_text().strip() != program:
            return False
        if os.fsencode(folder) in (entry / "cmdline").read_bytes().split(b"\0"):
            return True
        # Server children have rewritten their command line; their folder may have been removed meanwhile.
        return (entry / "cwd").readlink() in (folder, Path(f"{folder} (deleted)"))
    except (OSError, UnicodeDecodeError):  # gone meanwhile, or somebody else's process
        return False


def _pids_from_ps(program: str, folder: Path) -> list[int]:
    listing = subprocess.run(
        ["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True
    )
    rows = (line.strip().partition(" ") for line in listing.stdout.splitlines())
    return [int(pid) for pid, _, command in rows if f"/{program} " in command and str(folder) in command]


def is_in_use(pid: int) -> bool:
    """Whether the kernel knows this pid, be it a zombie's or somebody else's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def launcher(layout: Layout, death_signal: signal.Signals) -> list[str]:
    """Return the command prefix under which servers run: empty, unless this process is root.

    PostgreSQL refuses to run as root. ``setpriv`` makes it the owner of LOCAL_DIR, or ``nobody`` when root
    owns it, and leaves it one capability, to reach a folder below a closed one such as ``/root``. The death
    signal has to be setpriv's own option, since a change of credentials clears an earlier one.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EmbeddedError(
            "Root needs setpriv (util-linux) to run PostgreSQL; install it or run as another user."
        )
    nobody = pwd.getpwnam("nobody")
    owner = layout.local_dir.stat()
    uid, gid = (owner.st_uid, owner.st_gid) if owner.st_uid else (nobody.pw_uid, nobody.pw_gid)
    return [
        setpriv, "--pdeathsig", death_signal.name.removeprefix("SIG"), f"--reuid={uid}", f"--regid={gid}",
        "--clear-groups", "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
    ]  # fmt: skip


def end_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    """Return a ``preexec_fn`` that asks the kernel for ``death_signal`` when the parent dies (Linux only).

    Elsewhere an orphan is ended at the next start.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        if prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(1)

    return ask

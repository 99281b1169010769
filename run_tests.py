#!/usr/bin/env python
"""A thin front of pytest: names for the kinds of tests, the rest is passed on.

run_tests.py                                  everything but browser and long
run_tests.py --category flow --category unit  some kinds
run_tests.py --parallel --coverage            three processes; lines covered
run_tests.py --long                           only the long ones, full counts
run_tests.py tests/users -k pin -x            whatever pytest takes

A parallel run keeps its servers' data in memory where there is room, since they copy a database for every test that
commits; ``LOCAL_DIR`` chooses another place. The logs of a failed run are saved in ``.local/failed-tests``.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LOGS = ROOT / ".local" / "failed-tests"
CATEGORIES = ("unit", "flow", "concurrency", "adapter", "architecture", "browser")
PROCESSES = 3  # one more than the cores of a small machine: the flows wait more than they compute
ROOM_BYTES = 3 * 2**30
ENDING_S = 20.0
APPS = (
    "fintech_core", "users", "wallet", "transactions", "payments", "billers", "cashback", "notifications",
    "backoffice",
)  # fmt: skip


def arguments_for_pytest(given: Sequence[str]) -> list[str]:
    """Translate the command line of this script into pytest's."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--category", action="append", choices=CATEGORIES, help="a kind of tests; repeatable")
    parser.add_argument("--long", action="store_true", help="the long tests instead of the short ones")
    parser.add_argument("--coverage", action="store_true", help="measure which lines run")
    parser.add_argument("--parallel", action="store_true", help=f"in {PROCESSES} processes")
    options, rest = parser.parse_known_args(given)
    kinds = " or ".join(options.category) if options.category else "not browser"
    arguments = ["-m", f"({kinds}) and {'long' if options.long else 'not long'}"]
    if options.parallel:
        arguments += ["-n", str(PROCESSES)]  # which tests share a process: tests/scheduling.py
    if options.coverage:
        arguments += [f"--cov={app}" for app in APPS] + ["--cov-report=term-missing:skip-covered"]
    return arguments + rest


def memory() -> Path | None:
    """Return where files are kept in memory, or None where there is no such place or too little room."""
    place = Path("/dev/shm")  # noqa: S108  each run makes a folder of its own there
    try:
        has_room = os.access(place, os.W_OK) and shutil.disk_usage(place).free > ROOM_BYTES
    except OSError:
        return None
    return place if has_room else None


@contextmanager
def folder_in(place: Path) -> Iterator[Path]:
    """Make a folder for this run and remove it at the end, with those of earlier runs that were killed."""
    prefix = f"fintech-core-tests-{os.geteuid()}-"
    for left in place.glob(f"{prefix}*"):
        if not Path("/proc", left.name.removeprefix(prefix)).exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = place / f"{prefix}{os.getpid()}"
    folder.mkdir(mode=0o755)
    try:
        yield folder
    finally:
        deadline = time.monotonic() + ENDING_S
        while folder.exists() and time.monotonic() < deadline:  # the servers still end, and write
            shutil.rmtree(folder, ignore_errors=True)
            time.sleep(0.05)


def run(command: Sequence[str], folder: Path) -> int:
    """Run pytest over servers in the folder and return how it ended; whoever ends this ends pytest."""
    environment = {**os.environ, "LOCAL_DIR": str(folder / "local")}
    with subprocess.Popen([*command, f"--basetemp={folder / 'tmp'}"], env=environment) as child:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells pytest, too
        signal.signal(signal.SIGTERM, lambda number, _frame: child.send_signal(number))
        return child.wait()


def keep_logs(folder: Path) -> None:
    """Save what the programs of a failed run have written from the folder that goes."""
    shutil.rmtree(LOGS, ignore_errors=True)
    for log in folder.rglob("*.log"):
        kept = LOGS / log.relative_to(folder)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, kept)


def main() -> None:
    """Run pytest in the folder of the project: as this process, or beside it where it has a folder in memory."""
    os.chdir(ROOT)
    # The tests start a hundred programs, each of which would compile the whole project anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "pytest", *arguments_for_pytest(sys.argv[1:])]
    place = memory() if "--parallel" in sys.argv and "LOCAL_DIR" not in os.environ else None
    if place is None:
        os.execv(sys.executable, command)  # noqa: S606  becoming pytest is the point
    with folder_in(place) as folder:
        status = run(command, folder)
        if status:
            keep_logs(folder)
    sys.exit(status)


if __name__ == "__main__":
    main()

#!/usr/bin/env python
"""A thin front of pytest: names for the kinds of tests, the rest is passed on.

run_tests.py                                  everything but browser and long
run_tests.py --category flow --category unit  some kinds
run_tests.py --parallel --coverage            two processes; lines covered
run_tests.py --long                           only the long ones, full counts
run_tests.py tests/users -k pin -x            whatever pytest takes
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
CATEGORIES = ("unit", "flow", "concurrency", "adapter", "architecture", "browser")
PROCESSES = 3  # one more than the cores of a small machine: the flows wait more than they compute
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


def main() -> None:
    """Become pytest, in the folder of the project."""
    os.chdir(ROOT)
    command = [sys.executable, "-m", "pytest", *arguments_for_pytest(sys.argv[1:])]
    os.execv(sys.executable, command)  # noqa: S606  becoming pytest is the point


if __name__ == "__main__":
    main()

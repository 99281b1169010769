"""``manage.py run``: the whole system under one command, for development.

Migrates, seeds, then runs the sandbox, the web server, a worker for each queue and beat. One Ctrl-C ends them
all; so does ``kill -9`` of this command (see ``fintech_core.supervisor``).
"""

import fcntl
import json
import os
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.core.management.base import CommandParser
from django.db import connections
from kombu.exceptions import OperationalError

from fintech_core.celery import app
from fintech_core.supervisor import Process, Supervisor, programs

DEFAULT_PORT: Final = 8000
SANDBOX_PORT_OFFSET: Final = 100
PORTS_TRIED: Final = 100
WEB_WORKERS: Final = 2
WEB_THREADS: Final = 24
DEFAULT_CONCURRENCY: Final = 2
VENDOR_CONCURRENCY: Final = 8
PING_TIMEOUT_S: Final = 1.0
# Warnings that are true in production and noise here: root, and no collected files (WhiteNoise finds them).
EXPECTED_WARNINGS: Final = "ignore:You're running the worker,ignore:No directory at"
WEBHOOKS: Final = "api/v1/payments/webhooks"
LOGINS: Final = (
    "ada@example.com, bola@example.com   password demo-Password-1   PIN 5083",
    "staff@example.com                   password demo-Staff-1      (admin)",
)


class Command(BaseCommand):
    """Run everything until Ctrl-C."""

    help = "Run the sandbox, the web server, the workers and beat until Ctrl-C (development only)."
    requires_system_checks: list[str] = []  # migrate runs them

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the switch that leaves the demo people out."""
        parser.add_argument("--no-seed", action="store_true", help="do not make the demo people")

    def handle(self, *args: Any, no_seed: bool, **options: Any) -> None:
        """Prepare the database, then supervise until told to stop."""
        if settings.PRODUCTION:
            raise CommandError("run is for development: in production each program is started by itself.")
        settings.LOCAL_DIR.mkdir(parents=True, exist_ok=True)
        lock = hold_lock(settings.LOCAL_DIR)
        try:
            self._prepare(seed=not no_seed)
            status = self._supervise()
        except KeyboardInterrupt:
            status = 130
        finally:
            os.close(lock)
        if status:
            sys.exit(status)

    def _prepare(self, *, seed: bool) -> None:
        self.stdout.write("preparing the database …")
        call_command("migrate", verbosity=0, interactive=False)
        if seed:
            call_command("seed_demo")
        # What follows is other processes; this one only keeps the embedded servers alive.
        connections.close_all()

    def _supervise(self) -> int:
        port, sandbox_port = choose_ports()
        addresses = {"web": f"http://127.0.0.1:{port}", "sandbox": f"http://127.0.0.1:{sandbox_port}"}
        note = settings.LOCAL_DIR / "run.json"
        note.write_text(json.dumps({**addresses, "pid": os.getpid()}))
        supervisor = Supervisor(
            processes(port, sandbox_port),
            settings.BASE_DIR / "logs",
            on_ready=partial(self._announce, addresses),
            ready_timeout_s=90,
        )
        try:
            return supervisor.run()
        finally:
            note.unlink(missing_ok=True)

    def _announce(self, addresses: dict[str, str]) -> None:
        web, sandbox = addresses["web"], addresses["sandbox"]
        lines = [
            f"web      {web}/docs     admin  {web}/admin/",
            f"health   {web}/health/detailed",
            f"sandbox  {sandbox}/     stands in for the vendors; its book: {sandbox}/_control/state",
            *(f"login    {login}" for login in LOGINS),
            "next     make demo in a second terminal; Ctrl-C here ends everything",
        ]
        rule = "─" * 78
        self.stdout.write("\n".join([rule, *lines, rule]))
        self.stdout.flush()


def hold_lock(local_dir: Path) -> int:
    """Take the lock of this LOCAL_DIR, for as long as this process lives. Raises CommandError if taken."""
    lock = os.open(local_dir / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise CommandError(
            f"it runs already with LOCAL_DIR={local_dir}; for a second one give another LOCAL_DIR and PORT."
        ) from None
    return lock


def choose_ports() -> tuple[int, int]:
    """Return the ports of the web server and the sandbox.

    ``PORT`` and ``SANDBOX_PORT`` are taken at their word; without them the next free ports are. Raises
    CommandError when a port that was asked for is taken.
    """
    port = _port("PORT", DEFAULT_PORT)
    return port, _port("SANDBOX_PORT", port + SANDBOX_PORT_OFFSET)


def _port(name: str, default: int) -> int:
    given = os.environ.get(name)
    if given:
        if not given.isdecimal() or not 0 < int(given) < 65_536:
            raise CommandError(f"{name}={given} is no port.")
        if not _is_free(int(given)):
            raise CommandError(f"{name}={given} is taken by another program; choose another one.")
        return int(given)
    free = next((port for port in range(default, default + PORTS_TRIED) if _is_free(port)), None)
    if free is None:
        raise CommandError(f"no port from {default} to {default + PORTS_TRIED} is free; set {name}.")
    return free


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do, so that connections that are just closing do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def processes(port: int, sandbox_port: int) -> list[Process]:
    """Return what runs, in the order of its start."""
    web, sandbox = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{sandbox_port}"
    # Whatever .env says: the sandbox and the programs of one run belong together.
    environment = {
        "PORT": str(port),
        "SANDBOX_URL": sandbox,
        "SANDBOX_PAYSTACK_WEBHOOK_URL": f"{web}/{WEBHOOKS}/paystack",
        "SANDBOX_VTPASS_WEBHOOK_URL": f"{web}/{WEBHOOKS}/vtpass/{settings.VTPASS_WEBHOOK_TOKEN}",
        "PYTHONWARNINGS": EXPECTED_WARNINGS,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(settings.BASE_DIR), os.environ.get("PYTHONPATH")])),
    }
    # Beat rings every few seconds: told line by line, that would hide everything else.
    quiet = {**environment, "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING")}
    workers = [
        Process(name, argv, {**quiet, "APPLICATION_NAME": name}) for name, argv in worker_programs().items()
    ]
    nodes = [programs.worker_node(process.name) for process in workers]
    return [
        Process(
            "sandbox",
            programs.sandbox(sandbox_port, settings.LOCAL_DIR / "sandbox.sqlite3"),
            environment,
            ready=partial(programs.answers, f"{sandbox}/_control/health"),
        ),
        *workers,
        Process("beat", programs.beat(), {**quiet, "APPLICATION_NAME": "beat"}),
        Process(
            "web",
            programs.web(port, workers=WEB_WORKERS, threads=WEB_THREADS),
            {**environment, "APPLICATION_NAME": "web"},
            ready=lambda: programs.answers(f"{web}/readyz") and workers_answer(nodes),
        ),
    ]


def worker_programs() -> dict[str, list[str]]:
    """Return a worker for our own work and one for each vendor, so that a slow vendor blocks nobody else."""
    default = programs.DEFAULT_QUEUE
    vendors = sorted({route["queue"] for route in settings.CELERY_TASK_ROUTES.values()})
    return {
        default: programs.worker(default, [default], pool="prefork", concurrency=DEFAULT_CONCURRENCY),
        **{
            queue: programs.worker(queue, [queue], pool="threads", concurrency=VENDOR_CONCURRENCY)
            for queue in vendors
        },
    }


def workers_answer(nodes: list[str]) -> bool:
    """Say whether every worker answers; a broker that cannot be asked counts as no answer."""
    try:
        answers = app.control.ping(destination=nodes, timeout=PING_TIMEOUT_S)
    except (OSError, OperationalError):
        return False
    return len(answers or []) == len(nodes)

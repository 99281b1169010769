"""The real thing, for flow tests: sandbox, web server, Celery worker and beat over a database of their own.

    with Stack.start(grounds.shared(databases), folder) as stack:
        ada = stack.person(funds="50000.00")
        stack.arm("billers.after_t1"); stack.worker.wait_until_dead(); stack.heal(); stack.sweep()
        stack.verify_ledger()

Nothing is ever reset: each test makes its own people. Everything ends with the ``with``, and that is checked.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Any, LiteralString
from uuid import uuid4

import httpx2
import psycopg
from celery import Celery
from psycopg.rows import dict_row

from fintech_core import wiring
from fintech_core.supervisor import programs
from tests.clients import Client, Person, eventually
from tests.grounds import ROOT, Ground
from tests.parts import Part

WEBHOOK_TOKEN = "webhook-token-of-the-tests"
WEB_THREADS = 32
WORKER_THREADS = 12
COMMAND_LIMIT_S = 120
PORTS = (20_000, 32_768)
MARK = "FINTECH_CORE_STACK"
QUEUES = sorted({"default", *(route["queue"] for route in wiring.CELERY_TASK_ROUTES.values())})
SWEEPS = [  # what does work; a proof of the whole takes its time, and tests ask for it themselves
    entry["task"]
    for entry in wiring.CELERY_BEAT_SCHEDULE.values()
    if ".verify_" not in entry["task"] and "cleanup" not in entry["task"]
]
# Vendors that hold a connection are waited for two seconds instead of thirty.
QUICK = {"VENDOR_READ_TIMEOUT_S": "2", "SANDBOX_HOLD_S": "0.5"}


class Stack:
    """Sandbox, web, worker and beat (not started by itself); see :meth:`start`."""

    def __init__(self, ground: Ground, folder: Path, web_workers: int, environment: dict[str, str]) -> None:
        self.ground = ground
        self.mark = uuid4().hex
        self.crash_points = folder / "crash-points"
        self.crash_points.mkdir(parents=True)
        web_port, sandbox_port = free_ports(2)
        self.address, self.sandbox_address = _local(web_port), _local(sandbox_port)
        self.environment = {
            **os.environ,
            **ground.environment(),
            **self._settings(web_port),
            **QUICK,
            **environment,
            MARK: self.mark,
        }
        self._bell = Celery(broker=ground.broker_url, set_as_current=False)
        self._bell.conf.broker_transport_options = {"global_keyprefix": self.environment["CELERY_KEY_PREFIX"]}
        self._clients: list[Client] = []
        book = folder / "sandbox.sqlite3"
        part = partial(self._part, folder)
        self.sandbox = part(
            "sandbox", programs.sandbox(sandbox_port, book), f"{self.sandbox_address}/_control/health"
        )
        self.web = part(
            "web", programs.web(web_port, workers=web_workers, threads=WEB_THREADS), f"{self.address}/readyz"
        )
        worker = programs.worker("all", QUEUES, pool="threads", concurrency=WORKER_THREADS)
        self.worker = part("worker", worker)
        self.beat = part("beat", programs.beat())
        self.parts = [self.sandbox, self.web, self.worker, self.beat]

    def _settings(self, web_port: int) -> dict[str, str]:
        webhooks = f"{self.address}/api/v1/payments/webhooks"
        return {
            "PORT": str(web_port),
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "",
            "DJANGO_SETTINGS_MODULE": "fintech_core.settings",
            "ENVIRONMENT": "development",
            "PUBLIC_URL": self.address,
            "SANDBOX_URL": self.sandbox_address,
            "SANDBOX_PAYSTACK_WEBHOOK_URL": f"{webhooks}/paystack",
            "SANDBOX_VTPASS_WEBHOOK_URL": f"{webhooks}/vtpass/{WEBHOOK_TOKEN}",
            "VTPASS_WEBHOOK_TOKEN": WEBHOOK_TOKEN,
            "CELERY_KEY_PREFIX": f"stack-{self.mark}:",
            "CRASH_POINTS_DIR": str(self.crash_points),
            "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
            "RATE_LIMITS": "off",
            "OTP_MODE": "sandbox",
            "LOG_LEVEL": "INFO",
        }

    def _part(self, folder: Path, name: str, argv: list[str], page: str = "") -> Part:
        is_ready = partial(programs.answers, page) if page else partial(self._has_begun, name)
        environment = {**self.environment, "APPLICATION_NAME": f"stack-{name}"}
        return Part(name, argv, environment, folder / f"{name}.log", is_ready)

    def _has_begun(self, name: str) -> bool:
        """Say whether the worker answers; beat answers nobody."""
        node = programs.worker_node("all")
        return name == "beat" or bool(self._bell.control.ping(destination=[node], timeout=0.5))

    @classmethod
    @contextmanager
    def start(
        cls,
        ground: AbstractContextManager[Ground],
        folder: Path,
        *,
        web_workers: int = 1,
        **environment: str,
    ) -> Iterator["Stack"]:
        """Run a stack without beat; ``environment`` overrides settings, as in ``RATE_LIMITS="on"``."""
        with ground as found:
            stack = cls(found, folder, web_workers, environment)
            try:
                for part in (stack.sandbox, stack.web, stack.worker):
                    part.start(wait=False)
                for part in (stack.sandbox, stack.web, stack.worker):
                    part.wait_until_ready()
                yield stack
            finally:
                stack.close()

    def close(self) -> None:
        """End everything, and make sure that nothing is left."""
        for client in self._clients:
            client.close()
        self._bell.close()
        for part in self.parts:
            part.ask_to_stop()
        for part in self.parts:
            part.stop()
        assert self.processes() == [], "processes of the stack are left over"

    def processes(self) -> list[int]:
        """Return every process of this machine that belongs to this stack."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/environ"):
            try:
                if f"{MARK}={self.mark}".encode() in entry.read_bytes().split(b"\0"):
                    found.append(int(entry.parent.name))
            except OSError:  # it has ended meanwhile, or is another user's
                continue
        return found

    # People

    def client(self) -> Client:
        """Return somebody who is not signed in."""
        self._clients.append(Client(self.address))
        return self._clients[-1]

    def person(self, first_name: str = "Ada", *, tier: int = 1, funds: str | None = None) -> Person:
        """Return somebody new with a PIN, of tier 1 (or 0), who has paid in ``funds``."""
        person = Person(self.address, first_name=first_name)
        self._clients.append(person)
        person.set_pin()
        if tier:
            person.pass_kyc()
        if funds is not None:
            person.fund(funds)
        return person

    # The sandbox's control API

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the sandbox's control API: ``control("POST", "faults", {…})``."""
        answer = httpx2.request(method, f"{self.sandbox_address}/_control/{path}", json=body, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fault(self, vendor: str, operation: str, kind: str, **more: Any) -> None:
        """Make the sandbox fail once (or ``times``) in the named way."""
        self.control("POST", "faults", {"vendor": vendor, "operation": operation, "kind": kind, **more})

    # Crashes and repair

    def arm(self, point: str) -> None:
        """Let the first process that comes by this crash point kill itself there."""
        (self.crash_points / f"{point}.kill").touch()

    def wait_for_crash(self, point: str) -> None:
        """Wait until somebody has died at the crash point."""
        eventually(lambda: not (self.crash_points / f"{point}.kill").exists(), f"a crash at {point}")

    def heal(self) -> None:
        """Start again what has died."""
        for part in self.parts:
            if part.is_wanted and not part.is_alive:
                part.restart()

    def sweep(self) -> None:
        """Ring for every sweep, as beat does every few seconds."""
        for task in SWEEPS:
            self._bell.send_task(task, queue="default", ignore_result=True)

    # The books

    def sql(self, query: LiteralString, *values: Any) -> list[dict[str, Any]]:
        """Look into the database as its owner; rows come as dicts. For assertions only: it cannot write."""
        options = "-c default_transaction_read_only=on"
        with psycopg.connect(self.ground.owner_url, options=options, row_factory=dict_row) as connection:
            return connection.execute(query, values or None).fetchall()

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a ``manage.py`` command on this database."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )

    def verify_ledger(self) -> None:
        """Prove the whole ledger again."""
        proof = self.manage("verify_ledger")
        assert proof.returncode == 0, proof.stdout + proof.stderr


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody listens on.

    They lie below those that the system gives to outgoing connections: one of these would take the port before the
    program that is meant to listen there has started.
    """
    found: set[int] = set()
    while len(found) < count:
        port = SystemRandom().randrange(*PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.add(port)
    return list(found)


def _local(port: int) -> str:
    return f"http://127.0.0.1:{port}"

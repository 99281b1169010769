"""The web server under load: it answers transfers and nothings to the same clients over the same connections."""

import json
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from bench.ground import ROOT, SETTINGS, Ground
from bench.people import MERCHANT, PIN, PLAIN, user_id
from bench.worker import Step
from fintech_core.supervisor import programs

PORT = 8907
WORKERS, THREADS = 2, 24
CLIENTS = 16
READY_LIMIT_S = 30.0
PASSWORD = "bench-Password-1"  # noqa: S105  of people that exist in the benchmark's database alone
TOKENS = "bench-tokens.json"


def _gunicorn(port: int, *, workers: int, threads: int) -> list[str]:
    arguments = [
        "--worker-class",
        "gthread",
        "--workers",
        str(workers),
        "--threads",
        str(threads),
        "--keep-alive",
        "60",
    ]
    arguments += ["--bind", f"127.0.0.1:{port}", "--log-level", "error", "--no-control-socket"]
    return [sys.executable, "-m", "gunicorn", *arguments, "fintech_core.wsgi:application"]


# The product's own server first; the others show what it was chosen over.
SERVERS = {"granian": programs.web, "gunicorn": _gunicorn}


@dataclass
class WebServer:
    """A web server with the product over one database."""

    ground: Ground
    program: str
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it and wait until it answers; the address must be free."""
        environment = {**self.ground.environment(SETTINGS), "PORT": str(PORT)}
        command = SERVERS[self.program](PORT, workers=WORKERS, threads=THREADS)
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment)
        give_up = time.monotonic() + READY_LIMIT_S
        while not programs.answers(f"http://127.0.0.1:{PORT}/readyz"):
            if time.monotonic() > give_up or self._process.poll() is not None:
                raise RuntimeError("the web server does not answer")
            time.sleep(0.1)

    def peak_memory_mb(self) -> float:
        """Return the most memory that one of its workers ever had, in MB (VmHWM)."""
        if self._process is None:
            raise RuntimeError("the web server does not run")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return max(_peak_kb(int(pid)) for pid in children) / 1024

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None


def sign_in_senders() -> None:
    """Give the first ``CLIENTS`` people a PIN and a session, and keep their tokens for the load. Runs inside Django."""
    from django.conf import settings
    from django.db import transaction

    from fintech_core import clock
    from users.devices import Device
    from users.models import User
    from users.services import pins, sessions

    tokens = []
    for number in range(1, CLIENTS + 1):
        user = User.objects.get(pk=user_id(number))
        user.set_password(PASSWORD)
        user.save(update_fields=["password"])
        pins.set_pin(user=user, pin=PIN, password=PASSWORD, current_pin=None, now=clock.now())
        with transaction.atomic():
            tokens.append(sessions.open_session(user=user, device=Device(), now=clock.now()).access)
    (settings.LOCAL_DIR / TOKENS).write_text(json.dumps(tokens))


def transfers(number: int) -> Step:
    """Post transfers with PIN, idempotency, limits and events, over ``CLIENTS`` connections."""
    return _load(number, _transfer)


def to_one_merchant(number: int) -> Step:
    """Post transfers that all go to one merchant."""
    return _load(number, lambda token, _draw: _transfer_to(MERCHANT, token))


def nothings(number: int) -> Step:
    """Ask for nothing, signed in, over as many connections."""
    return _load(number, lambda token, _draw: _request("GET", "/api/v1/bench/noop", token))


Write = Callable[[str, random.Random], bytes]


def _load(number: int, write: Write) -> Step:
    """Let every client send one request after the other; a step is what all of them did in a moment.

    The process is given ``number`` and has all clients as threads: they mostly wait.
    """
    from django.conf import settings

    tokens = json.loads((settings.LOCAL_DIR / TOKENS).read_text())
    clients = [_Client(token, random.Random(number * 100 + one), write) for one, token in enumerate(tokens)]

    def step() -> int:
        threads = [threading.Thread(target=client.work, args=(0.5,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(client.take() for client in clients)

    return step


class _Client:
    """One connection that is kept open."""

    def __init__(self, token: str, draw: random.Random, write: Write) -> None:
        self._token, self._draw, self._write = token, draw, write
        self._socket = socket.create_connection(("127.0.0.1", PORT))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._done = 0

    def work(self, seconds: float) -> None:
        """Send requests for so long; an answer that is no success ends the run."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._socket.sendall(self._write(self._token, self._draw))
            status = self._answer()
            if status not in {200, 201}:
                raise RuntimeError(f"the server answered {status}")
            self._done += 1

    def take(self) -> int:
        """Return how many were answered since the last time."""
        done, self._done = self._done, 0
        if not done:
            raise RuntimeError("a client got no answer")
        return done

    def _answer(self) -> int:
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._received()
        head, _, body = got.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        while len(body) < length:
            body += self._received()
        return int(head.split(b" ", 2)[1])

    def _received(self) -> bytes:
        part = self._socket.recv(65_536)
        if not part:
            raise RuntimeError("the server closed the connection")
        return part


def _transfer(token: str, draw: random.Random) -> bytes:
    return _transfer_to(draw.randint(CLIENTS + 1, PLAIN), token)


def _transfer_to(recipient: int, token: str) -> bytes:
    body = json.dumps({"to": f"p{recipient}@bench.example", "amount": "1.00", "pin": PIN}).encode()
    return _request("POST", "/api/v1/transactions/transfer", token, body)


def _request(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}"]
    if body:
        lines += [
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"Idempotency-Key: {uuid4()}",
        ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _peak_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))

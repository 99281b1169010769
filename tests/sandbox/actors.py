"""Who takes part: the sandbox process, a merchant that talks to it, a server that receives its webhooks."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2

from tests.clients import NO_CERTIFICATES
from tests.waiting import until

SECRET_KEY = "sk_test_0123456789abcdef"
HOLD_S = 0.4
PATIENCE_S = 10.0


class SandboxProcess:
    """`python -m sandbox` with a book; can be ended in every way and started again on the same book."""

    def __init__(self, book: Path, **environment: str) -> None:
        self._book = book
        self._environment = {**os.environ, "SANDBOX_HOLD_S": str(HOLD_S), **environment}
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "sandbox", "--port", "0", "--book", str(self._book)]
        with self._book.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=self._environment
            )
        assert self.process.stdout is not None
        announced = self.process.stdout.readline()
        assert announced.startswith("sandbox listening on "), announced
        self.url = announced.split()[-1]

    def log(self) -> str:
        return self._book.with_suffix(".log").read_text()

    def book_holds(self, text: bytes) -> bool:
        """Search the book's files, the write-ahead log included, for bytes that must not be there."""
        return any(text in part.read_bytes() for part in self._book.parent.glob(f"{self._book.name}*"))

    def end(self, how: Callable[[subprocess.Popen[str]], None]) -> None:
        how(self.process)
        self.process.wait(timeout=PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Merchant:
    """Speaks to the vendors with test keys and to the control API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx2.Client(base_url=url, timeout=PATIENCE_S, trust_env=False, verify=NO_CERTIFICATES)
        self.bearer = {"Authorization": f"Bearer {SECRET_KEY}"}
        self.vtpass_keys = {"api-key": "test-key", "public-key": "PK_1", "secret-key": "SK_1"}
        self._orders = 0

    def control(self, path: str, **body: Any) -> Any:
        response = self.http.post(f"/_control/{path}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def state(self) -> Any:
        return self.http.get("/_control/state").json()

    def fault(self, vendor: str, operation: str, kind: str, **more: Any) -> int:
        body = {"vendor": vendor, "operation": operation, "kind": kind, **more}
        return int(self.control("faults", **body)["id"])

    def fired(self) -> list[int]:
        return [fault["fired"] for fault in self.state()["faults"]]

    def initialize(self, reference: str = "wal-1", **more: Any) -> httpx2.Response:
        body = {"email": "ada@example.com", "amount": 250000, "reference": reference, **more}
        return self.http.post("/paystack/transaction/initialize", json=body, headers=self.bearer)

    def checkout_path(self, **more: Any) -> str:
        url = self.initialize(**more).json()["data"]["authorization_url"]
        return str(url).removeprefix(self.url)

    def verify(self, reference: str = "wal-1") -> httpx2.Response:
        return self.http.get(f"/paystack/transaction/verify/{reference}", headers=self.bearer)

    def request_id(self) -> str:
        self._orders += 1
        return datetime.now(ZoneInfo("Africa/Lagos")).strftime("%Y%m%d%H%M") + f"x{self._orders:04d}"

    def order(self, meter: str = "1111111111111", **more: Any) -> dict[str, Any]:
        body = {
            "request_id": self.request_id(),
            "serviceID": "ikeja-electric",
            "billersCode": meter,
            "variation_code": "prepaid",
            "amount": "2000",
            "phone": "08011111111",
        }
        return {**body, **more}

    def vtpass(self, operation: str, **body: Any) -> httpx2.Response:
        return self.http.post(f"/vtpass/api/{operation}", json=body, headers=self.vtpass_keys)

    def requery(self, request_id: str) -> Any:
        return self.vtpass("requery", request_id=request_id).json()

    def vtpass_get(self, path: str) -> Any:
        return self.http.get(f"/vtpass/api/{path}", headers=self.vtpass_keys).json()

    def deliveries(self) -> list[dict[str, Any]]:
        return list(self.http.get("/_control/deliveries").json()["deliveries"])

    def delivery_states(self) -> list[str]:
        return [delivery["status"] for delivery in self.deliveries()]


@dataclass(frozen=True)
class Received:
    """One webhook as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Where the webhooks go. `answers` are used up first to last; the last one stays."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[tuple[int, bytes]] = field(default_factory=lambda: [(200, b"{}")])

    def answer(self) -> tuple[int, bytes]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def wait_for(self, count: int) -> list[Received]:
        eventually(lambda: len(self.received) >= count)
        return self.received[:count]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run a server that notes what it is sent."""
    inbox = Receiver()

    class Inbox(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            inbox.received.append(Received(path=self.path, headers=headers, body=body))
            status, text = inbox.answer()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """The test looks at what was received."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Inbox)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    inbox.url = f"http://127.0.0.1:{server.server_port}/hooks"
    try:
        yield inbox
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def eventually(is_so: Callable[[], bool]) -> None:
    """Wait for something another process does; fails when it does not come."""
    until(is_so, limit_s=PATIENCE_S)

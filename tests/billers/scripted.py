"""A VTpass that says exactly what a test wants to hear, over real HTTP."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from pytest_django import Settings

Said = bytes | dict[str, Any]


@dataclass
class Script:
    """What is answered next, and what was asked. The last answer is given again and again."""

    answers: list[Said] = field(default_factory=list)
    status: int = 200
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def say(self, *answers: Said, status: int = 200) -> None:
        self.answers[:] = answers
        self.status = status

    def operations(self) -> list[str]:
        return [operation for operation, _ in self.asked]

    def next_answer(self, operation: str, body: dict[str, Any]) -> bytes:
        """Note the question and write the answer; ``{reference}`` stands for the reference that was asked about."""
        self.asked.append((operation, body))
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        raw = said if isinstance(said, bytes) else json.dumps(said).encode()
        return raw.replace(b"{reference}", str(body.get("request_id", "")).encode())


@contextmanager
def scripted(settings: Settings) -> Iterator[Script]:
    """Point the settings at a vendor that answers by script."""
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            raw = script.next_answer(self.path.rsplit("/", 1)[-1], body)
            self.send_response(script.status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    settings.VTPASS_BASE_URL = f"http://127.0.0.1:{server.server_port}/api"
    settings.VENDOR_READ_TIMEOUT_S = 2.0
    settings.RATE_LIMITS = False
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(code: str = "000", status: str | None = "delivered", **more: Any) -> dict[str, Any]:
    """Write an answer of VTpass about an order of 10,000 naira for a prepaid meter, changed as a test needs it.

    ``status`` None leaves the order out; of ``more``, ``order`` changes the order's own fields.
    """
    order = {
        "status": status,
        "amount": "10000",
        "total_amount": 9850,
        "commission": 150,
        "transactionId": "17416102247366731230557150",
        "unique_element": "1111111111111",
        "phone": "08011111111",
        "email": "ada@example.com",
        **more.pop("order", {}),
    }
    body: dict[str, Any] = {
        "code": code,
        "content": {} if status is None else {"transactions": order},
        "response_description": "TRANSACTION SUCCESSFUL",
        "requestId": "{reference}",
        "amount": 10000,
    }
    if status == "delivered":
        body |= {"purchased_code": "Token : 26362054405982757802", "token": "Token : 26362054405982757802"}
        body |= {"units": "79.9 kWh", "customerName": "ADA OBI", "customerAddress": "1 BROAD STREET"}
    body.update(more)
    return {name: value for name, value in body.items() if value is not ...}


NOT_FOUND = answer("015", None)
PENDING = answer(status="pending")
DELIVERED = answer()

"""Fixtures of the abuse cases: the cast, the wire, and the proof that nothing changed or leaked."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from fintech_core.supervisor import programs
from tests.flows.abuse.cast import CANARY_PIN, Cast
from tests.flows.abuse.fingerprint import Fingerprint
from tests.flows.abuse.wire import Answer, Wire, check_problem
from tests.flows.crashing import sweep_once
from tests.parts import Part
from tests.stack import WEB_THREADS, Stack, free_ports


@pytest.fixture(scope="session")
def company(stack: Stack) -> Iterator[Cast]:
    """The cast, signed up once."""
    called = Cast.call(stack)
    yield called
    called.close()


@pytest.fixture(scope="session")
def watch(stack: Stack) -> Iterator[Fingerprint]:
    """The watch over the database."""
    fingerprint = Fingerprint(stack.ground.owner_url)
    yield fingerprint
    fingerprint.close()


@pytest.fixture(scope="session")
def wire(stack: Stack) -> Wire:
    """The way to the web server."""
    return Wire(stack.address)


@pytest.fixture(scope="session")
def strict_wire(stack: Stack) -> Iterator[Wire]:
    """The way to a second web server over the same database, with rate limits."""
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    part = Part(
        "web with limits",
        programs.web(port, workers=2, threads=WEB_THREADS),
        {**stack.environment, "PORT": str(port), "RATE_LIMITS": "on"},
        stack.web.log_path.with_name("web-with-limits.log"),
        lambda: programs.answers(f"{address}/readyz"),
    )
    part.start()
    stack.parts.append(part)
    yield Wire(address)
    part.stop()


@pytest.fixture(scope="module", autouse=True)
def calm(stack: Stack, company: Cast, watch: Fingerprint) -> None:
    """Let what other tests left behind come to its end before a module, also what nobody has been rung for."""
    company.refresh()
    sweep_once(stack)
    watch.settle()


@pytest.fixture(scope="module")
def cast(company: Cast, calm: None) -> Cast:
    """The cast with fresh tokens, when nothing moves any more."""
    return company


@pytest.fixture(scope="module", autouse=True)
def no_secret_is_written(stack: Stack, company: Cast, watch: Fingerprint) -> Iterator[None]:
    """After each module: no PIN, password, document number or token in a log or in what is kept of a request."""
    yield
    written = {part.name: part.log() for part in stack.parts if part.name != "sandbox"}
    written |= watch.kept_texts()
    pin = re.compile(rf"(?<![\d.a-f-]){CANARY_PIN}(?![\da-f-])")
    for place, text in written.items():
        assert not pin.search(text), f"the PIN stands in {place}"
        for secret in company.secrets:
            assert secret not in text, f"{secret[:12]}… stands in {place}: {_around(text, secret)}"


def _around(text: str, secret: str) -> str:
    at = text.index(secret)
    return text[max(0, at - 200) : at]


@dataclass(frozen=True, slots=True)
class Refusals:
    """Sends what must be refused, and holds the refusal to its word: nothing has changed."""

    cast: Cast
    wire: Wire
    watch: Fingerprint

    def __call__(
        self,
        who: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        status: int,
        code: str,
        fields: dict[str, str] | None = None,
        **sent: Any,
    ) -> Answer:
        """Send one request as somebody; ``fields`` are codes that a validation problem names by field."""
        headers = {"Idempotency-Key": str(uuid4())} if method == "POST" else {}
        headers |= self.cast.fill(sent.pop("headers", {}))
        with self.watch.unchanged(keys_too=status != 422):
            answer = self.wire.send(
                method,
                f"/api/v1{self.cast.fill(path)}",
                self.cast.fill(body),
                token=sent.pop("token", self.cast.token(who)),
                headers=headers,
                **sent,
            )
            check_problem(answer, status, code)
            if fields is not None:
                assert fields.items() <= answer.fields.items(), answer
        return answer


@pytest.fixture
def refused(cast: Cast, wire: Wire, watch: Fingerprint) -> Callable[..., Answer]:
    """``refused("ada", "POST", "/transactions/transfer", {…}, status=400, code="…")``."""
    return Refusals(cast, wire, watch)

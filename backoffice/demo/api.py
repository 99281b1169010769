"""A customer's app, as far as the story needs one: sends, shows, waits."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from backoffice.demo.screen import Screen
from fintech_core import http
from fintech_core.outcomes import Outcome, ProviderError

DEADLINE_S: Final = 30.0
PAUSE_S: Final = 0.25
PREFIX: Final = "/api/v1"
REPLAYED: Final = "idempotent-replayed"


class PromiseBroken(Exception):
    """A figure is not as the story promises, or a request was not answered as it should be."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, its JSON (None without a body), and whether it is a stored one."""

    status: int
    body: Any
    replayed: bool


class Api:
    """Speaks to one system; ``access`` signs the requests of whoever it was given to."""

    def __init__(self, base_url: str, screen: Screen) -> None:
        self.base_url = base_url.rstrip("/")
        self.screen = screen
        self.access = ""

    def another(self) -> "Api":
        """Return a client of the same system for somebody else."""
        return Api(self.base_url, self.screen)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        expect: Sequence[int] = (200,),
        show: Sequence[str] = (),
        key: str = "",
        wait_s: int | None = None,
        told: bool = True,
    ) -> Reply:
        """Send one request and return its answer.

        ``show`` names what the screen shows of the answer; ``told=False`` keeps a repeated question off it.
        Raises PromiseBroken when nobody answers, or with another status than expected.
        """
        headers = {"Authorization": f"Bearer {self.access}"} if self.access else {}
        notes = []
        if key:
            headers["Idempotency-Key"] = key
            notes.append(f"Idempotency-Key {key[:8]}…")
        if wait_s is not None:
            headers["Prefer"] = f"wait={wait_s}"
            notes.append(f"Prefer wait={wait_s}")
        if told:
            self.screen.request(method, path, body, notes)
        started = time.monotonic()
        answer = self._send(method, f"{self.base_url}{PREFIX}{path}", headers, json=body)
        reply = _read(answer)
        if told or reply.status not in expect:
            took = f"{time.monotonic() - started:.2f} s"
            more = [took, "Idempotent-Replayed: true"] if reply.replayed else [took]
            self.screen.answer(reply.status, _part(reply, show, expect), more)
        if reply.status not in expect:
            raise PromiseBroken(
                f"{method} {path} answered {reply.status}, not {' or '.join(map(str, expect))}."
            )
        return reply

    def until(
        self,
        path: str,
        is_so: Callable[[Any], bool],
        *,
        patience_s: float,
        what: str,
        show: Sequence[str] = (),
    ) -> Any:
        """Ask again and again until the answer is as wanted, then show it. Raises PromiseBroken when it never is."""
        started, asked = time.monotonic(), 1
        body = self.call("GET", path, told=False).body
        while not is_so(body):
            if time.monotonic() - started > patience_s:
                raise PromiseBroken(f"Waited {patience_s:.0f} s in vain until {what}: {path} says {body}.")
            time.sleep(PAUSE_S)
            body = self.call("GET", path, told=False).body
            asked += 1
        often = "once" if asked == 1 else f"{asked} times in {time.monotonic() - started:.1f} s"
        self.screen.request("GET", path, None, [f"asked {often}"])
        self.screen.answer(200, {name: body[name] for name in show} or body, [])
        return body

    def wait_for(self, read: Callable[[], Any], *, patience_s: float, what: str) -> Any:
        """Read until something is there, and return it. Raises PromiseBroken when it never is."""
        give_up = time.monotonic() + patience_s
        while not (found := read()):
            if time.monotonic() > give_up:
                raise PromiseBroken(f"Waited {patience_s:.0f} s in vain until {what}.")
            time.sleep(PAUSE_S)
        return found

    def press(self, address: str, fields: Mapping[str, str]) -> int:
        """Send a page's form, as a browser does; returns the status."""
        parts = urlsplit(address)
        self.screen.request("POST", parts.path, fields, [f"at {parts.netloc}"])
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
        answer = self._send("POST", address, headers, content=urlencode(fields).encode())
        self.screen.answer(answer.status, None, [answer.headers.get("location", "the page says so")])
        return answer.status

    def look(self, address: str) -> Any:
        """Read JSON at any address without showing it; None when there is none."""
        answer = self._send("GET", address, {})
        return answer.json() if answer.status == 200 else None

    def _send(self, method: str, url: str, headers: Mapping[str, str], **more: Any) -> http.Answer:
        try:
            return http.send(
                vendor="demo", method=method, url=url, headers=headers, deadline_s=DEADLINE_S, **more
            )
        except ProviderError as error:
            if error.outcome is Outcome.NOT_SENT:
                parts = urlsplit(url)
                raise PromiseBroken(
                    f"Nobody answers at {parts.scheme}://{parts.netloc}. Start make run in another terminal first."
                ) from error
            raise PromiseBroken(f"{method} {url} was not answered: {error.detail}") from error


def new_key() -> str:
    """Make an Idempotency-Key."""
    return str(uuid4())


def fresh_digits(count: int) -> str:
    """Make digits that no earlier run has used."""
    return "".join(secrets.choice("0123456789") for _ in range(count))


def _read(answer: http.Answer) -> Reply:
    try:
        body = answer.json() if answer.body else None
    except ProviderError as error:
        raise PromiseBroken(f"The answer (HTTP {answer.status}) is no JSON.") from error
    return Reply(answer.status, body, answer.headers.get(REPLAYED) == "true")


def _part(reply: Reply, show: Sequence[str], expect: Sequence[int]) -> Any:
    """Return the named parts of an answer; a refusal with its code and its sentence."""
    if reply.status not in expect and isinstance(reply.body, Mapping):
        return {name: reply.body[name] for name in ("code", "detail", "errors") if reply.body.get(name)}
    if not show or not isinstance(reply.body, Mapping):
        return reply.body
    return {name: reply.body[name] for name in show if name in reply.body}

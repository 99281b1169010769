"""The application as a web server loads it."""

import io
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from fintech_core.wsgi import closing_on_unread, whole_bodies

_LOAD = """
import gc, sys
from fintech_core.wsgi import application
held = gc.get_freeze_count()
views = "transactions.views.transfers" in sys.modules
print(held > 100_000, gc.get_count()[2], views)
"""


class TestLoading:
    def test_the_program_is_whole_and_out_of_the_way_of_the_garbage_collector(self) -> None:
        ended = subprocess.run(
            [sys.executable, "-c", _LOAD], capture_output=True, text=True, timeout=60, check=True
        )
        assert ended.stdout.split() == ["True", "0", "True"]


def answered(body: bytes, read: Callable[[Any], Any], **environ: str) -> list[tuple[str, str]]:
    """Return the headers of an answer that is made when so much of a request's body was read."""
    told: list[tuple[str, str]] = []

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        read(environ["wsgi.input"])
        start_response("401 Unauthorized", [("Content-Type", "text/plain")])
        return [b""]

    asked = {"wsgi.input": io.BytesIO(body), **environ}
    whole_bodies(closing_on_unread(serve))(asked, lambda _status, headers: told.extend(headers))
    assert told[0] == ("Content-Type", "text/plain")
    return told[1:]


class TestBodiesThatAreNotRead:
    CLOSE = [("Connection", "close")]

    @pytest.mark.parametrize(
        ("read", "closes"),
        [
            (lambda _body: None, True),
            (lambda body: body.read(3), True),
            (lambda body: body.readline(), True),
            (lambda body: body.read(), False),
            (lambda body: (body.readline(), body.read(3)), False),
        ],
    )
    def test_the_connection_ends_where_something_is_still_to_come(
        self, read: Callable[[Any], Any], closes: bool
    ) -> None:
        assert answered(b"ab\ncde", read, CONTENT_LENGTH="6") == (self.CLOSE if closes else [])

    @pytest.mark.parametrize("length", [{}, {"CONTENT_LENGTH": ""}, {"CONTENT_LENGTH": "0"}])
    def test_without_a_body_it_stays(self, length: dict[str, str]) -> None:
        assert answered(b"", lambda _body: None, **length) == []
        assert answered(b"", lambda _body: None, HTTP_TRANSFER_ENCODING="chunked", **length) == []

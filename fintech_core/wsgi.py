"""WSGI entry point."""

import gc
import os
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fintech_core.settings")

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def whole_bodies(serve: Application) -> Application:
    """Give a body that came without a length (RFC 9112, 7.1) its length: Django reads no other.

    No more is read than any route takes and one byte, so that a larger one is refused like every large body.
    """

    def serve_whole(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_TRANSFER_ENCODING"):
            raw = environ["wsgi.input"].read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
            environ |= {"wsgi.input": BytesIO(raw), "CONTENT_LENGTH": str(len(raw))}
        return serve(environ, start_response)

    return serve_whole


class AnnouncedBody:
    """A body of known length that knows how much of it is still to come; it has what Django reads with."""

    def __init__(self, source: Any, length: int) -> None:
        self._source = source
        self.unread = length

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes, or all."""
        return self._counted(self._source.read(size))

    def readline(self, size: int = -1) -> bytes:
        """Read a line, or so many bytes of it."""
        return self._counted(self._source.readline(size))

    def _counted(self, read: bytes) -> bytes:
        self.unread -= len(read)
        return read


def closing_on_unread(serve: Application) -> Application:
    """Say ``Connection: close`` in an answer that did not wait for the whole body (RFC 9112, 9.6).

    The server closes such a connection unless the rest is there already, and a client that was not told sends its next
    request into nothing. To wait for the rest instead would let anybody hold a thread by sending it slowly.
    """

    def serve_and_tell(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or "0"
        if not (length.isascii() and length.isdigit()) or int(length) == 0:
            return serve(environ, start_response)
        body = environ["wsgi.input"] = AnnouncedBody(environ["wsgi.input"], int(length))

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            told = [("Connection", "close")] if body.unread > 0 else []
            return start_response(status, [*headers, *told], *more)

        return serve(environ, start)

    return serve_and_tell


def loaded(serve: Application) -> Application:
    """Load what the first request would, and keep it out of every later search for garbage.

    Such a search walks along all objects, and the program itself is most of them: a request that met one waited a
    quarter of a second for what can never be garbage.
    """
    _ = get_resolver().url_patterns
    gc.collect()
    gc.freeze()
    return serve


application = loaded(whole_bodies(closing_on_unread(get_wsgi_application())))
